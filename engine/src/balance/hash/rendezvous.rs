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
        let mut best = None;
        let mut most = 0.0;
        for member in &self.members {
            let weight = f64::from(member.units);
            // 52 bits and a half: never 0 or 1, and exact.
            let u = ((mix64(key ^ member.hash) >> 12) as f64 + 0.5) * (1.0 / 4_503_599_627_370_496.0);
            // -ln(u) is at least 1 - u, so most bids are known to be too low without the logarithm.
            if weight * (1.0 + 1e-9) < most * (1.0 - u) {
                continue;
            }
            let (bid, index) = (-weight / log(u), member.index as usize);
            if bid > most && accepts(index) {
                (best, most) = (Some(index), bid);
            }
        }
        best
    }
}
