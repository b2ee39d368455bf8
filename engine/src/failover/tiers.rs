//! Which tier of a pool serves, and when an earlier one takes back. The rule is told in `serving`.

use super::rules::MinHealthySpec;
use super::serving::{Memory, PoolRules};

/// Doublings of the hold-down, at most.
const FLAPS: u32 = 5;

/// A promotion this soon (in milliseconds) after an earlier tier took back is a flap.
const SOON: u64 = 60_000;

/// One tier at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strength {
    /// Which.
    pub tier: u8,
    /// Its endpoints that have a weight.
    pub members: usize,
    /// Those of them that could serve.
    pub able: usize,
}

impl Strength {
    #[expect(clippy::cast_sign_loss, reason = "what is below 0 becomes 0")]
    fn is_enough(&self, rules: &PoolRules) -> bool {
        let needed = match rules.min_healthy {
            MinHealthySpec::Count(count) => (count as usize).min(self.members),
            MinHealthySpec::Share(share) => (share * self.members as f64 - 1e-9).ceil() as usize,
        };
        self.able >= needed.max(1)
    }
}

impl Memory {
    /// Milliseconds for which an earlier tier must be wanted before it takes back.
    #[must_use]
    pub fn hold(&self, rules: &PoolRules) -> u64 {
        rules.hold_down.saturating_mul(1 << self.flaps.min(FLAPS))
    }
}

/// The memory after this moment, where somebody could serve.
pub(super) fn step(tiers: &[Strength], rules: &PoolRules, memory: Memory, now: u64) -> Memory {
    let mut next = Memory { failback: false, ..memory };
    let enough = tiers.iter().find(|strength| strength.is_enough(rules));
    let present = memory.tier.and_then(|tier| tiers.iter().find(|strength| strength.tier == tier && strength.able > 0));
    let most = tiers.iter().map(|strength| strength.able).max().unwrap_or(0);
    let strongest = || present.filter(|present| present.able == most).or_else(|| tiers.iter().find(|strength| strength.able == most));
    let Some(wanted) = enough.or_else(strongest) else { return next };
    let Some(present) = present.filter(|present| wanted.tier >= present.tier || !must(wanted, present, rules)) else {
        return next.moved(wanted.tier, rules, now);
    };
    if wanted.tier > present.tier {
        return next.moved(wanted.tier, rules, now);
    }
    if wanted.tier == present.tier {
        next.wanted_since = None;
        return next;
    }
    let since = memory.wanted_since.unwrap_or(now);
    if memory.failback || (rules.automatic && now >= since.saturating_add(next.hold(rules))) {
        return next.moved(wanted.tier, rules, now);
    }
    next.wanted_since = Some(since);
    next
}

/// Whether an earlier tier takes back at once: the present one is not enough, and it is.
fn must(wanted: &Strength, present: &Strength, rules: &PoolRules) -> bool {
    wanted.is_enough(rules) && !present.is_enough(rules)
}

impl Memory {
    fn moved(self, to: u8, rules: &PoolRules, now: u64) -> Self {
        let mut next = Self { tier: Some(to), wanted_since: None, ..self };
        match self.tier {
            Some(from) if to > from => {
                let soon = SOON.max(rules.hold_down.saturating_mul(6));
                let flapped = self.back_at.is_some_and(|at| now.saturating_sub(at) <= soon);
                next.flaps = if flapped { (self.flaps + 1).min(FLAPS) } else { 0 };
            }
            Some(from) if to < from => next.back_at = Some(now),
            _ => {}
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::super::serving::AllDown;
    use super::*;

    const RULES: PoolRules = PoolRules {
        min_healthy: MinHealthySpec::Count(1),
        automatic: true,
        hold_down: 10_000,
        max_ejected: 0.5,
        probed: false,
        when_all_down: AllDown::TryAll,
    };

    /// Tiers 0, 1, ... of two endpoints each, so many of them able.
    fn tiers(able: &[usize]) -> Vec<Strength> {
        (0..).zip(able).map(|(tier, able)| Strength { tier, members: 2, able: *able }).collect()
    }

    fn at(tier: u8) -> Memory {
        Memory { tier: Some(tier), ..Memory::default() }
    }

    #[test]
    fn the_first_tier_that_is_enough_takes_over_at_once() {
        for (able, expected) in [([1, 2, 2], 0), ([0, 2, 2], 1), ([0, 0, 1], 2)] {
            assert_eq!(step(&tiers(&able), &RULES, at(0), 5).tier, Some(expected), "{able:?}");
            assert_eq!(step(&tiers(&able), &RULES, Memory::default(), 5).tier, Some(expected), "{able:?}");
        }
        let two = PoolRules { min_healthy: MinHealthySpec::Count(2), ..RULES };
        assert_eq!(step(&tiers(&[1, 2]), &two, at(0), 5).tier, Some(1));
        assert_eq!(step(&tiers(&[1, 1]), &two, at(0), 5).tier, Some(0), "where none is enough the present one goes on");
        assert_eq!(step(&tiers(&[1, 1]), &two, at(1), 5).tier, Some(1));
        let half = PoolRules { min_healthy: MinHealthySpec::Share(0.5), ..RULES };
        assert_eq!(step(&tiers(&[1, 2]), &half, at(0), 5).tier, Some(0));
        assert_eq!(step(&tiers(&[2, 2]), &two, Memory { tier: Some(2), ..at(2) }, 5).tier, Some(0), "its tier has gone");
    }

    #[test]
    fn an_earlier_tier_takes_back_after_it_could_for_the_whole_hold_down() {
        let mut memory = at(1);
        for (now, able, expected) in [(0, 1, 1), (9_000, 0, 1), (9_500, 1, 1), (19_499, 1, 1), (19_500, 1, 0)] {
            memory = step(&tiers(&[able, 2]), &RULES, memory, now);
            assert_eq!(memory.tier, Some(expected), "at {now}");
        }
    }

    #[test]
    fn a_manual_tier_takes_back_when_it_is_told_to_and_only_once() {
        let manual = PoolRules { automatic: false, ..RULES };
        let both = tiers(&[1, 1]);
        let waiting = step(&both, &manual, at(1), 0);
        assert_eq!(step(&both, &manual, waiting, 1_000_000).tier, Some(1));
        let told = step(&both, &manual, Memory { failback: true, ..waiting }, 1_000_000);
        assert_eq!((told.tier, told.failback), (Some(0), false));
        assert_eq!(step(&tiers(&[0, 1]), &manual, told, 1_000_001).tier, Some(1));
    }

    #[test]
    fn a_primary_that_flaps_does_not_take_back_again_and_again() {
        for period in 1..=60_u64 {
            let mut memory = at(0);
            let mut moves = 0;
            for second in 0..3600 {
                let up = second % period < period.div_ceil(2);
                let next = step(&tiers(&[usize::from(up), 2]), &RULES, memory, second * 1000);
                moves += u32::from(next.tier != memory.tier);
                memory = next;
            }
            assert!(moves <= 5, "{moves} moves at a period of {period} s");
        }
    }
}
