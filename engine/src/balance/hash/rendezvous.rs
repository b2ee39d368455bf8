//! Highest random weight: Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998); with weights by the logarithm of
//! Schindelhauer and Schomaker, "Weighted distributed hash tables" (2005).

use super::Member;
use crate::balance::draw::mix64;
use crate::balance::number::log;

/// Every endpoint bids `-weight / ln(u)` for a key, `u` uniform in (0, 1) from the key and the endpoint; the highest bid has it, the first of
/// equals. Where all weights are equal the bids are in the order of the bits that `u` is made of, and these are compared instead.
#[derive(Debug)]
pub struct Rendezvous {
    members: Box<[Member]>,
    alike: bool,
}

impl Rendezvous {
    /// For these endpoints.
    #[must_use]
    pub fn new(members: &[Member]) -> Self {
        let alike = members.windows(2).all(|pair| matches!(pair, [one, next] if one.units == next.units));
        Self { members: members.into(), alike }
    }

    /// The highest bidder that accepts the key.
    pub fn find(&self, key: u64, accepts: impl Fn(usize) -> bool) -> Option<usize> {
        if self.alike { self.of_equals(key, accepts) } else { self.of_weighted(key, accepts) }
    }

    fn of_equals(&self, key: u64, accepts: impl Fn(usize) -> bool) -> Option<usize> {
        let mut best: Option<(u64, usize)> = None;
        for member in &self.members {
            let (bits, index) = (mix64(key ^ member.hash), member.index as usize);
            if best.is_none_or(|(most, _)| bits > most) && accepts(index) {
                best = Some((bits, index));
            }
        }
        best.map(|(_, index)| index)
    }

    fn of_weighted(&self, key: u64, accepts: impl Fn(usize) -> bool) -> Option<usize> {
        let mut best: Option<(f64, u32)> = None;
        let mut most = 0.0;
        for member in &self.members {
            // -ln(u) is more than this, so most bids are known to be too low without the logarithm.
            let gap = 1.0 - uniform(key, member);
            if f64::from(member.units) * (1.0 + 1e-9) < most * gap * (1.0 + gap * (0.5 + gap * (1.0 / 3.0)))
                || !accepts(member.index as usize)
            {
                continue;
            }
            best = higher(best, bid(key, member), member.index);
            most = best.map_or(0.0, |(most, _)| most);
        }
        best.map(|(_, index)| index as usize)
    }
}

/// Uniform in (0, 1), from a key and an endpoint: 52 bits and a half, so that it is never 0 or 1.
fn uniform(key: u64, member: &Member) -> f64 {
    // The bits behind the exponent of 1 are a number from 1 to 2; it and the difference are exact.
    const ONE: u64 = 1.0_f64.to_bits();
    f64::from_bits(ONE | (mix64(key ^ member.hash) >> 12)) - (1.0 - f64::EPSILON / 2.0)
}

fn bid(key: u64, member: &Member) -> f64 {
    -f64::from(member.units) / log(uniform(key, member))
}

/// The higher of two bids, the first in declared order of equals.
fn higher(best: Option<(f64, u32)>, bid: f64, index: u32) -> Option<(f64, u32)> {
    match best {
        Some((most, first)) if most > bid || (most >= bid && first <= index) => best,
        _ => Some((bid, index)),
    }
}
