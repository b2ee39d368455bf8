//! Medians without sorting.

const SIGN: u64 = 1 << 63;

/// A number as an integer of the same order; NaN stands beyond the infinities.
pub(super) fn key(value: f64) -> u64 {
    let bits = value.to_bits();
    // A negative number grows as its bits fall.
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

fn value(key: u64) -> f64 {
    f64::from_bits(if key & SIGN == 0 { !key } else { key ^ SIGN })
}

/// The middle value of those whose keys these are, or the mean of the two in the middle; `without` where there are none.
pub(super) fn median(keys: &mut [u64], without: f64) -> f64 {
    let half = keys.len() / 2;
    if keys.is_empty() {
        return without;
    }
    let odd = keys.len() % 2 == 1;
    let (below, middle, _) = keys.select_nth_unstable(half);
    match below.iter().max() {
        Some(lower) if !odd => 0.5 * (value(*lower) + value(*middle)),
        _ => value(*middle),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> f64 {
        median(&mut values.iter().copied().map(key).collect::<Vec<_>>(), 9.0)
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        let medians = [of(&[3.0, 1.0, 2.0]), of(&[4.0, 1.0, 2.0, 3.0]), of(&[-4.0, -1.0, 0.0, -3.0]), of(&[])];
        assert_eq!(medians.map(f64::to_bits), [2.0, 2.5, -2.0, 9.0].map(f64::to_bits));
    }

    #[test]
    fn keys_keep_the_order_and_give_the_number_back() {
        let ordered = [f64::NEG_INFINITY, -1e300, -1.0, -f64::MIN_POSITIVE, -0.0, 0.0, 5e-324, 0.1, 1.0, 1e300, f64::INFINITY, f64::NAN];
        assert!(ordered.is_sorted_by(|a, b| key(*a) < key(*b)));
        assert!(ordered.iter().all(|number| value(key(*number)).to_bits() == number.to_bits()));
    }
}
