//! The ring of Karger et al., "Consistent hashing and random trees" (1997), with points as Ketama has them.

use super::Member;
use crate::balance::draw::draw;
use crate::balance::guide::Guide;

/// The most points per endpoint of average weight; there are at least half as many.
const POINTS: u64 = 320;
/// The most points of a ring, beside one that each endpoint has at least.
const MOST_POINTS: u64 = 1 << 21;
/// Points that a key passes by before it goes elsewhere.
const WALK: usize = 1024;

/// Points on a circle of 2^64; a key belongs to the next point clockwise.
///
/// An endpoint has points in proportion to its weight: `round(units * 2^e)`, at least 1, with the greatest whole `e` for which all together
/// are at most 320 on average and 2,097,152 in all. A power of two, so that the number of an endpoint's points seldom depends on the others: with
/// any other rule every arrival would add or take points everywhere. Point `j` is draw `j` of the endpoint's hash.
#[derive(Debug)]
pub struct Ring {
    points: Guide,
    /// Whose each point is.
    owners: Box<[u32]>,
}

impl Ring {
    /// For these endpoints.
    #[must_use]
    pub fn new(members: &[Member]) -> Self {
        let exponent = exponent(members);
        let mut points: Vec<(u64, u32)> = members
            .iter()
            .flat_map(|member| (0..count(member.units, exponent)).map(|number| (draw(member.hash, number), member.index)))
            .collect();
        points.sort_unstable();
        let owners = points.iter().map(|(_, index)| *index).collect();
        Self { points: Guide::new(points.into_iter().map(|(point, _)| point).collect()), owners }
    }

    /// Clockwise from the key to the first point whose owner accepts it; `None` after 1,024 points.
    pub fn find(&self, key: u64, accepts: impl Fn(usize) -> bool) -> Option<usize> {
        let (before, after) = self.owners.split_at_checked(self.points.at_least(key).unwrap_or(0))?;
        after.iter().chain(before).take(WALK).map(|index| *index as usize).find(|index| accepts(*index))
    }
}

/// The greatest `e` for which the units of all times 2^e are within the bounds.
fn exponent(members: &[Member]) -> i32 {
    let total: u64 = members.iter().map(|member| u64::from(member.units)).sum();
    let most = (members.len() as u64 * POINTS).min(MOST_POINTS);
    let fits = |exponent: &i32| {
        let (up, down) = (exponent.max(&0).unsigned_abs(), exponent.min(&0).unsigned_abs());
        u128::from(total) << up <= u128::from(most) << down
    };
    (-40..=8).rev().find(fits).unwrap_or(-40)
}

fn count(units: u32, exponent: i32) -> u64 {
    let units = u64::from(units);
    let shift = exponent.unsigned_abs();
    let points = if exponent >= 0 { units << shift } else { (units + (1 << (shift - 1))) >> shift };
    points.max(1)
}
