//! The table of Eisenbud et al., "Maglev: a fast and reliable software network load balancer" (NSDI 2016).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Member;
use crate::balance::draw::{draw, scale};

/// Slots of a table, and slots per endpoint, at least.
const SLOTS: u64 = 1 << 16;
const SLOTS_PER_ENDPOINT: u64 = 100;
/// Other slots that a key tries when its own may not be picked.
const TRIES: u64 = 16;

/// A table of slots, each with an endpoint; a key belongs to a slot.
///
/// There are as many slots as the first prime from the least power of two that is at least 65,536 and 100 per endpoint: 65,537 up to 655
/// endpoints. So the number changes where that of the endpoints passes a doubling, which moves nearly every key, and not before. Endpoint `i` prefers them in the order
/// `(offset + j * skip) mod slots`, `offset` and `skip` from draws 0 and 1 of its hash, and the endpoints take turns, each time its best slot that
/// is still free. The turns come in rounds: the heaviest has one in each, another has its turn number `k` in round `k * heaviest / its weight`;
/// in a round they follow their hashes.
#[derive(Debug)]
pub struct Maglev {
    slots: Box<[u32]>,
}

/// An endpoint that fills a table.
struct Filler {
    index: u32,
    units: u64,
    turns: u64,
    next: u64,
    skip: u64,
}

impl Maglev {
    /// For these endpoints.
    #[must_use]
    pub fn new(members: &[Member]) -> Self {
        let size = prime_from((members.len() as u64 * SLOTS_PER_ENDPOINT).max(SLOTS).next_power_of_two());
        let mut sorted = members.to_vec();
        sorted.sort_unstable_by_key(|member| (member.hash, member.index));
        let heaviest = members.iter().map(|member| u64::from(member.units)).max().unwrap_or(0);
        let mut fillers: Vec<Filler> = sorted
            .iter()
            .map(|member| Filler {
                index: member.index,
                units: u64::from(member.units),
                turns: 0,
                next: draw(member.hash, 0) % size,
                skip: draw(member.hash, 1) % (size - 1) + 1,
            })
            .collect();
        // Whose turn is when: the round, then the place in the order of hashes.
        let mut turns: BinaryHeap<Reverse<(u64, usize)>> = (0..fillers.len()).map(|place| Reverse((0, place))).collect();
        let mut slots = vec![u32::MAX; if fillers.is_empty() { 0 } else { size as usize }];
        for _ in 0..slots.len() {
            let Some(mut turn) = turns.peek_mut() else { break };
            let Some(filler) = fillers.get_mut(turn.0.1) else { break };
            filler.take(&mut slots);
            turn.0.0 = filler.turns * heaviest / filler.units;
        }
        Self { slots: slots.into() }
    }

    /// The owner of the key's slot, or the first of 16 other slots, by draws of the key, whose owner accepts it.
    pub fn find(&self, key: u64, accepts: impl Fn(usize) -> bool) -> Option<usize> {
        let owner = |mark: u64| Some(*self.slots.get(scale(mark, self.slots.len() as u64) as usize)? as usize);
        let home = owner(key)?;
        if accepts(home) {
            return Some(home);
        }
        (0..TRIES).filter_map(|number| owner(draw(key, number))).find(|index| accepts(*index))
    }
}

impl Filler {
    /// Takes its best slot that is still free; one must be.
    fn take(&mut self, slots: &mut [u32]) {
        let size = slots.len() as u64;
        loop {
            let slot = slots.get_mut(self.next as usize);
            self.next += self.skip;
            if self.next >= size {
                self.next -= size;
            }
            if let Some(slot) = slot
                && *slot == u32::MAX
            {
                *slot = self.index;
                self.turns += 1;
                return;
            }
        }
    }
}

/// The first prime that is at least `number`, which is above 2.
fn prime_from(number: u64) -> u64 {
    let is_prime =
        |number: u64| number % 2 == 1 && (3..).step_by(2).take_while(|divisor| divisor * divisor <= number).all(|d| number % d != 0);
    // Between a number and its double there is one (Chebyshev).
    (number..=2 * number).find(|number| is_prime(*number)).unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_grows_by_doubling() {
        let slots = |count: u32| {
            let members: Vec<Member> = (0..count).map(|index| Member { index, units: 1, hash: draw(1, u64::from(index)) }).collect();
            Maglev::new(&members).slots.len()
        };
        assert_eq!([1, 655, 656, 1310, 1311].map(slots), [65_537, 65_537, 131_101, 131_101, 262_147]);
        assert_eq!(slots(0), 0);
    }

    #[test]
    fn the_sizes_of_tables_are_primes() {
        assert_eq!([65_536, 65_538, 1_000_000].map(prime_from), [65_537, 65_539, 1_000_003]);
    }
}
