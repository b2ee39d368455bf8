//! The arithmetic of policies: IEEE 754 binary64, with `exp` and `log` as one published algorithm, so that a score has the same bits on every
//! machine and in `forebay.balance.numbers`. Nothing here is fused or reordered: each operation rounds once, in the order written.
//!
//! `exp` and `log` follow fdlibm's `e_exp.c` and `e_log.c` (error below one unit in the last place), whose notice is:
//!
//! > Copyright (C) 1993, 2004 by Sun Microsystems, Inc. All rights reserved. Permission to use, copy, modify, and distribute this software is
//! > freely granted, provided that this notice is preserved.

/// ln 2 in two parts; the product of the first with any exponent is exact.
const LN2_HIGH: f64 = f64::from_bits(0x3FE6_2E42_FEE0_0000);
const LN2_LOW: f64 = f64::from_bits(0x3DEA_39EF_3579_3C76);
const ONE_OVER_LN2: f64 = f64::from_bits(0x3FF7_1547_652B_82FE);

/// Above this `exp` is infinite, below the other it is zero.
const EXP_OVERFLOW: f64 = f64::from_bits(0x4086_2E42_FEFA_39EF);
const EXP_UNDERFLOW: f64 = f64::from_bits(0xC087_4910_D52D_3051);

const P1: f64 = f64::from_bits(0x3FC5_5555_5555_553E);
const P2: f64 = f64::from_bits(0xBF66_C16C_16BE_BD93);
const P3: f64 = f64::from_bits(0x3F11_566A_AF25_DE2C);
const P4: f64 = f64::from_bits(0xBEBB_BD41_C5D2_6BF1);
const P5: f64 = f64::from_bits(0x3E66_3769_72BE_A4D0);

const LG1: f64 = f64::from_bits(0x3FE5_5555_5555_5593);
const LG2: f64 = f64::from_bits(0x3FD9_9999_9997_FA04);
const LG3: f64 = f64::from_bits(0x3FD2_4924_9422_9359);
const LG4: f64 = f64::from_bits(0x3FCC_71C5_1D8E_78AF);
const LG5: f64 = f64::from_bits(0x3FC7_4664_96CB_03DE);
const LG6: f64 = f64::from_bits(0x3FC3_9A09_D078_C69F);
const LG7: f64 = f64::from_bits(0x3FC2_F112_DF3E_5244);

const TWO_54: f64 = f64::from_bits(0x4350_0000_0000_0000);
const TWO_M1000: f64 = f64::from_bits(0x0170_0000_0000_0000);

/// The upper 32 bits, by which the algorithms choose their branch.
fn high_word(x: f64) -> u32 {
    (x.to_bits() >> 32) as u32
}

/// `y` times two to the power of `k`, by its exponent bits; neither may leave the normal range.
#[expect(clippy::cast_sign_loss, reason = "the bits are meant")]
fn scale_exponent(y: f64, k: i32) -> f64 {
    f64::from_bits(y.to_bits().wrapping_add((i64::from(k) as u64) << 52))
}

/// e to the power of `x`: infinite above 709.78, zero below -745.13.
#[must_use]
pub fn exp(x: f64) -> f64 {
    let high = high_word(x) & 0x7FFF_FFFF;
    if high >= 0x4086_2E42 {
        if x.is_nan() {
            return x;
        }
        if x > EXP_OVERFLOW {
            return f64::INFINITY;
        }
        if x < EXP_UNDERFLOW {
            return 0.0;
        }
    }
    if high > 0x3FD6_2E42 {
        let negative = x.is_sign_negative();
        // Below 1.5 ln 2 one step is enough.
        let k = match (high < 0x3FF0_A2B2, negative) {
            (true, false) => 1,
            (true, true) => -1,
            (false, _) => (ONE_OVER_LN2 * x + if negative { -0.5 } else { 0.5 }) as i32,
        };
        let t = f64::from(k);
        exp_reduced(x - t * LN2_HIGH, t * LN2_LOW, k)
    } else if high < 0x3E30_0000 {
        1.0 + x
    } else {
        let c = exp_remainder(x);
        1.0 - ((x * c) / (c - 2.0) - x)
    }
}

/// `exp` of `high - low`, times two to the power of `k`.
fn exp_reduced(high: f64, low: f64, k: i32) -> f64 {
    let x = high - low;
    let c = exp_remainder(x);
    let y = 1.0 - ((low - (x * c) / (2.0 - c)) - high);
    if k >= -1021 { scale_exponent(y, k) } else { scale_exponent(y, k + 1000) * TWO_M1000 }
}

fn exp_remainder(x: f64) -> f64 {
    let t = x * x;
    x - t * (P1 + t * (P2 + t * (P3 + t * (P4 + t * P5))))
}

/// The natural logarithm of `x`: negative infinity of zero, NaN of what is negative.
#[must_use]
#[expect(clippy::cast_possible_wrap, reason = "words are compared as the algorithm compares them")]
pub fn log(x: f64) -> f64 {
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x < 0.0 {
        return f64::NAN;
    }
    if !x.is_finite() {
        return x;
    }
    let (x, mut k) = if x < f64::MIN_POSITIVE { (x * TWO_54, -54) } else { (x, 0) };
    let high = high_word(x) as i32;
    k += (high >> 20) - 1023;
    let mantissa = high & 0x000F_FFFF;
    let carry = (mantissa + 0x9_5F64) & 0x10_0000;
    k += carry >> 20;
    let upper = u64::from((mantissa | (carry ^ 0x3FF0_0000)).unsigned_abs());
    let f = f64::from_bits((upper << 32) | (x.to_bits() & 0xFFFF_FFFF)) - 1.0;
    if (0x000F_FFFF & (2 + mantissa)) < 3 { log_near_one(f, f64::from(k)) } else { log_of_fraction(f, f64::from(k), mantissa) }
}

/// `log(1 + f) + k ln 2` for |f| < 2^-20.
fn log_near_one(f: f64, k: f64) -> f64 {
    if f == 0.0 {
        return if k == 0.0 { 0.0 } else { k * LN2_HIGH + k * LN2_LOW };
    }
    #[expect(clippy::excessive_precision, reason = "as published")]
    let r = f * f * (0.5 - 0.333_333_333_333_333_33 * f);
    if k == 0.0 { f - r } else { k * LN2_HIGH - ((r - k * LN2_LOW) - f) }
}

/// `log(1 + f) + k ln 2`; `mantissa` is the upper half of that of the number.
#[expect(clippy::many_single_char_names, reason = "the algorithm's names")]
fn log_of_fraction(f: f64, k: f64, mantissa: i32) -> f64 {
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let t1 = w * (LG2 + w * (LG4 + w * LG6));
    let t2 = z * (LG1 + w * (LG3 + w * (LG5 + w * LG7)));
    let r = t2 + t1;
    if ((mantissa - 0x6_147A) | (0x6_B851 - mantissa)) > 0 {
        let half = 0.5 * f * f;
        if k == 0.0 { f - (half - s * (half + r)) } else { k * LN2_HIGH - ((half - (s * (half + r) + k * LN2_LOW)) - f) }
    } else if k == 0.0 {
        f - s * (f - r)
    } else {
        k * LN2_HIGH - ((s * (f - r) - k * LN2_LOW) - f)
    }
}

/// The lesser; `b` where either is NaN or both are equal.
#[must_use]
#[inline(always)]
#[expect(clippy::inline_always, reason = "loops over it become vector code")]
pub fn min(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

/// The greater; `b` where either is NaN or both are equal.
#[must_use]
#[inline(always)]
#[expect(clippy::inline_always, reason = "loops over it become vector code")]
pub fn max(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// A comparison's number: 1 or 0.
#[must_use]
#[inline(always)]
#[expect(clippy::inline_always, reason = "loops over it become vector code")]
pub fn truth(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

/// `a` where `condition` is a number other than 0, else `b`.
#[must_use]
#[inline(always)]
#[expect(clippy::inline_always, reason = "loops over it become vector code")]
pub fn either(condition: f64, a: f64, b: f64) -> f64 {
    if condition.abs() > 0.0 { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::draw::{draw, mix64};

    const NAN: u64 = 0x7FF8_0000_0000_0000;

    /// A number's bits, those of its `exp` and those of its `log`, from fdlibm itself.
    const VECTORS: [(u64, u64, u64); 24] = [
        (0x3FF0_0000_0000_0000, 0x4005_BF0A_8B14_576A, 0),
        (0, 0x3FF0_0000_0000_0000, 0xFFF0_0000_0000_0000),
        (0x3FE0_0000_0000_0000, 0x3FFA_6129_8E1E_069C, 0xBFE6_2E42_FEFA_39EF),
        (0x4000_0000_0000_0000, 0x401D_8E64_B8D4_DDAE, 0x3FE6_2E42_FEFA_39EF),
        (0x4024_0000_0000_0000, 0x40D5_829D_CF95_0560, 0x4002_6BB1_BBB5_5516),
        (0xC024_0000_0000_0000, 0x3F07_CD79_B564_7C9A, NAN),
        (0x3FD6_2E42_9E0A_41A2, 0x3FF6_A09E_4439_76B4, 0xBFF0_F45E_6C61_68B2),
        (0x3FD6_2E43_096A_0C0D, 0x3FF6_A09E_6A2F_DD69, 0xBFF0_F45E_1EED_2830),
        (0x3FF0_A305_5326_17C2, 0x4006_A113_E510_3A32, 0x3FA3_FB87_5B48_2AE8),
        (0xBFD6_6666_6666_6666, 0x3FE6_8CCE_0967_1F71, NAN),
        (0xBFF3_3333_3333_3333, 0x3FD3_46C4_167A_12DE, NAN),
        (0xBE11_2E0B_E826_D695, 0x3FEF_FFFF_FF76_8FA1, NAN),
        (0x3F50_624D_D2F1_A9FC, 0x3FF0_0419_19B7_EE34, 0xC01B_A18A_998F_FFA0),
        (0x4086_2E42_FEFA_39EF, 0x7FEF_FFFF_FFFF_FF2A, 0x401A_4284_94FA_F1B1),
        (0x4086_2E42_FEFA_39F0, 0x7FF0_0000_0000_0000, 0x401A_4284_94FA_F1B1),
        (0xC087_4910_D52D_3051, 1, NAN),
        (0xC087_4910_D52D_3052, 0, NAN),
        (0xC086_2400_0000_0000, 0x000E_6CF6_D088_97AC, NAN),
        (1, 0x3FF0_0000_0000_0000, 0xC087_4385_446D_71C3),
        (0x7FEF_FFFF_FFFF_FFFF, 0x7FF0_0000_0000_0000, 0x4086_2E42_FEFA_39EF),
        (0x3FF0_0000_1AD7_F29B, 0x4005_BF0A_AF90_4984, 0x3E7A_D7F2_847B_6492),
        (0x3FE6_A09E_3AE9_0A1A, 0x4000_3994_42DC_1A74, 0xBFD6_2E43_7A42_5DF8),
        (0x7FF0_0000_0000_0000, 0x7FF0_0000_0000_0000, 0x7FF0_0000_0000_0000),
        (0xFFF0_0000_0000_0000, 0, NAN),
    ];

    /// The bits of a number; all NaN are one.
    fn bits(x: f64) -> u64 {
        if x.is_nan() { NAN } else { x.to_bits() }
    }

    /// Draws spread over where each branch of the algorithms is taken, and over all bit patterns.
    fn drawn() -> impl Iterator<Item = f64> {
        (0..4000).flat_map(|k| {
            let unit = (draw(7, k) >> 11) as f64 / (1_u64 << 53) as f64;
            [unit * 1500.0 - 750.0, unit * 4.0 - 2.0, unit * unit * 3.0, f64::from_bits(draw(8, k))]
        })
    }

    #[test]
    fn exp_and_log_have_the_bits_of_the_published_algorithm() {
        for (x, e, l) in VECTORS {
            let x = f64::from_bits(x);
            assert_eq!((bits(exp(x)), bits(log(x))), (e, l), "{x:?}");
        }
        assert!(exp(f64::NAN).is_nan() && log(f64::NAN).is_nan());
    }

    #[test]
    fn exp_and_log_of_sixteen_thousand_draws_have_the_bits_of_the_published_algorithm() {
        let digest = drawn().fold(0, |digest, x| mix64(mix64(digest ^ bits(exp(x))) ^ bits(log(x))));
        assert_eq!(digest, 0xA8F3_5105_BC17_B5DA);
    }

    #[test]
    fn exp_and_log_are_within_two_units_in_the_last_place_of_the_system_s() {
        for x in drawn() {
            for (ours, theirs) in [(exp(x), x.exp()), (log(x), x.ln())] {
                assert!(bits(ours).abs_diff(bits(theirs)) <= 2, "{x:?}: {ours:?}, {theirs:?}");
            }
        }
    }

    #[test]
    fn what_is_no_number_loses_every_comparison() {
        let nan = f64::NAN;
        assert_eq!((min(nan, 1.0), max(nan, 1.0), either(nan, 1.0, 2.0)), (1.0, 1.0, 2.0));
        assert!(min(1.0, nan).is_nan() && max(1.0, nan).is_nan());
        assert_eq!((either(-1.0, 1.0, 2.0), either(-0.0, 1.0, 2.0), truth(true), truth(false)), (1.0, 2.0, 1.0, 0.0));
        assert!(min(0.0, -0.0).is_sign_negative() && max(-0.0, 0.0).is_sign_positive());
    }
}
