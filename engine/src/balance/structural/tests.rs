use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

const fn turn(turn: u64) -> Occasion {
    Occasion { seed: 7, turn, key: None }
}

fn thousandths(weights: &[f64]) -> Vec<u32> {
    weights.iter().copied().map(units).collect()
}

type Pick = Box<dyn Fn(u64, &dyn Fn(usize) -> bool) -> Option<usize>>;

/// Every policy of turns and draws, by its name.
fn policies(weights: &[f64]) -> [(&'static str, Pick); 4] {
    let units = thousandths(weights);
    let by_turns = RoundRobin::new(&units);
    let weighted = WeightedRoundRobin::new(&units);
    let random = Random::new(&units);
    let weighted_random = WeightedRandom::new(&units);
    [
        ("round_robin", Box::new(move |k, eligible| by_turns.pick(turn(k), eligible).map(|(index, _)| index))),
        ("weighted_round_robin", Box::new(move |k, eligible| weighted.pick(turn(k), eligible).map(|(index, _)| index))),
        ("random", Box::new(move |k, eligible| random.pick(turn(k), eligible))),
        ("weighted_random", Box::new(move |k, eligible| weighted_random.pick(turn(k), eligible))),
    ]
}

fn counts(pick: &Pick, picks: u64, endpoints: usize, eligible: &dyn Fn(usize) -> bool) -> Vec<f64> {
    let mut counts = vec![0.0; endpoints];
    for k in 0..picks {
        counts[pick(k, eligible).unwrap()] += 1.0;
    }
    counts
}

#[test]
fn a_weight_is_counted_in_thousandths_and_never_lost() {
    assert_eq!(thousandths(&[1.0, 0.1, 0.0005, 1e-300, 0.0, -1.0, f64::NAN]), [1000, 100, 1, 1, 0, 0, 0]);
    assert_eq!(thousandths(&[1000.0, 0.0624, f64::INFINITY, f64::MAX]), [1_000_000, 62, u32::MAX, u32::MAX]);
}

#[test]
fn each_is_picked_in_proportion_to_its_weight_or_alike() {
    for (name, pick) in policies(&[1.0, 2.0, 0.0, 7.0]) {
        let shares = if name.starts_with("weighted") { [0.1, 0.2, 0.0, 0.7] } else { [1.0 / 3.0, 1.0 / 3.0, 0.0, 1.0 / 3.0] };
        for (count, share) in counts(&pick, 100_000, 4, &|_| true).into_iter().zip(shares) {
            assert!((count - share * 100_000.0).abs() <= 800.0, "{name}: {count} picks for a share of {share}");
        }
    }
}

#[test]
fn who_is_not_eligible_is_never_picked_and_the_others_share_what_it_leaves() {
    // So many that a cycle's scan ends before it, and so few eligible that draws miss them.
    let weights: Vec<f64> = (0..400).map(|index| f64::from(1 + index % 2)).collect();
    for (name, pick) in policies(&weights) {
        let counts = counts(&pick, 40_000, 400, &|index| index % 100 < 2);
        for (index, count) in counts.into_iter().enumerate() {
            let share = match index % 100 {
                0 | 1 if !name.starts_with("weighted") => 1.0 / 8.0,
                0 => 1.0 / 12.0,
                1 => 2.0 / 12.0,
                _ => 0.0,
            };
            // Without passed turns being used up, the rounds favour whoever stands behind a hole: only the draws are compared.
            let bound = if name.ends_with("random") { 400.0 } else { f64::INFINITY };
            assert!((share > 0.0) == (count > 0.0) && (count - share * 40_000.0).abs() < bound, "{name}: {count} picks of {index}");
        }
    }
}

#[test]
fn nobody_is_picked_where_nobody_is_eligible_or_there_is_nobody() {
    for (name, pick) in policies(&[3.0, 1.0]) {
        assert_eq!(pick(0, &|_| false), None, "{name}");
    }
    for weights in [&[][..], &[0.0, 0.0]] {
        for (name, pick) in policies(weights) {
            assert_eq!(pick(0, &|_| true), None, "{name}");
        }
    }
}

#[test]
fn turns_passed_by_are_used_up_so_that_the_others_share_them() {
    let policy = RoundRobin::new(&[1000; 300]);
    let mut next = 0;
    let mut counts = [0_u32; 300];
    for _ in 0..400 {
        let (index, passed) = policy.pick(turn(next), |index| !(50..250).contains(&index)).unwrap();
        counts[index] += 1;
        next += 1 + passed;
    }
    assert!((0..300).all(|index| counts[index] == if (50..250).contains(&index) { 0 } else { 4 }));
}

#[test]
fn a_scan_of_a_weighted_cycle_is_bounded_and_what_follows_is_in_proportion() {
    let policy = WeightedRoundRobin::new(&thousandths(&[1000.0, 1.0, 3.0]));
    let mut next = 0;
    let mut counts = [0_u32; 3];
    for _ in 0..40_000 {
        let (index, passed) = policy.pick(turn(next), |index| index != 0).unwrap();
        assert!(passed <= SCAN as u64);
        counts[index] += 1;
        next += 1 + passed;
    }
    assert_eq!(counts[0], 0);
    assert!(counts[1].abs_diff(10_000) < 400 && counts[2].abs_diff(30_000) < 400, "{counts:?}");
}

#[test]
fn round_robin_over_all_threads_is_within_one_of_equal() {
    let policy = RoundRobin::new(&[1000; 7]);
    let (next, counts) = (AtomicU64::new(0), [const { AtomicU64::new(0) }; 7]);
    std::thread::scope(|scope| {
        for picks in [5000, 7001, 9002, 3003] {
            let (policy, next, counts) = (&policy, &next, &counts);
            scope.spawn(move || {
                for _ in 0..picks {
                    let (index, _) = policy.pick(turn(next.fetch_add(1, Ordering::Relaxed)), |_| true).unwrap();
                    counts[index].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let counts = counts.map(AtomicU64::into_inner);
    assert_eq!(counts.iter().sum::<u64>(), 24_006);
    assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
}

#[test]
fn first_available_fills_one_after_the_other_and_then_the_least_loaded() {
    let policy = FirstAvailable::new(&[1000, 0, 1000, 1000], Some(3));
    let pick = |loads: [u32; 4]| policy.pick(|_| true, |index| loads[index]);
    assert_eq!(pick([2, 0, 0, 0]), Some(0));
    assert_eq!(pick([3, 0, 2, 0]), Some(2));
    assert_eq!(pick([3, 0, 9, 0]), Some(3));
    assert_eq!(pick([5, 0, 4, 4]), Some(2), "all are full: the least loaded");
    assert_eq!(policy.pick(|index| index != 0, |_| 7), Some(2));
    assert_eq!(policy.pick(|_| false, |_| 0), None);
    assert_eq!(FirstAvailable::new(&[1000, 1000], None).pick(|_| true, |_| 1_000_000), Some(0));
}

#[test]
fn weights_that_no_cycle_holds_have_their_shares_all_the_same() {
    let units: Vec<u32> = (0..1000).collect();
    let policy = WeightedRoundRobin::new(&units);
    let turns = 50_000_u32;
    let mut counts = vec![0_u32; 1000];
    for number in 0..turns {
        let (index, passed) = policy.pick(turn(u64::from(number)), |_| true).unwrap();
        assert_eq!(passed, 0);
        counts[index] += 1;
    }
    let total: u32 = units.iter().sum();
    for (count, units) in counts.iter().zip(&units) {
        assert!((f64::from(*count) - f64::from(turns) * f64::from(*units) / f64::from(total)).abs() <= 5.0, "{units} units: {count}");
    }
}
