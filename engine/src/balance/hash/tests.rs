use super::*;
use crate::balance::draw::draw;

const KINDS: [Kind; 3] = [Kind::Maglev, Kind::Ring, Kind::Rendezvous];
const KEYS: u64 = 100_000;

fn key(number: u64) -> Occasion {
    Occasion { seed: 1, turn: number, key: Some(hash(&number.to_le_bytes(), 1)) }
}

fn table(kind: Kind, bounded_load: Option<f64>, names: impl Iterator<Item = u32>, units: impl Fn(u32) -> u32) -> ConsistentHash {
    let ids: Vec<(String, u32)> = names.map(|name| (format!("10.0.{}.{}:80", name / 256, name % 256), units(name))).collect();
    let endpoints: Vec<(&str, u32)> = ids.iter().map(|(id, units)| (&**id, *units)).collect();
    ConsistentHash::new(kind, bounded_load, &endpoints, 1)
}

fn homes(table: &ConsistentHash, eligible: impl Fn(usize) -> bool) -> Vec<usize> {
    (0..KEYS).map(|number| table.pick(key(number), &eligible, |_| 0).unwrap()).collect()
}

/// The greatest deviation of a share from that of the weights, as a part of it.
fn deviation(homes: &[usize], units: &[u32]) -> f64 {
    let total: f64 = units.iter().copied().map(f64::from).sum();
    let mut worst = 0.0_f64;
    for (index, units) in units.iter().enumerate() {
        let fair = homes.len() as f64 * f64::from(*units) / total;
        let count = homes.iter().filter(|home| **home == index).count() as f64;
        worst = worst.max((count / fair - 1.0).abs());
    }
    worst
}

#[test]
fn the_hash_is_xxh64() {
    assert_eq!(hash(b"", 0), 0xEF46_DB37_51D8_E999);
    assert_eq!(hash(b"a", 0), 0xD24E_C4F1_A98C_6E5B);
    assert_eq!(hash(b"abc", 0), 0x44BC_2CF5_AD77_0999);
    assert_eq!(KEY_HASH, "xxh64-1");
}

#[test]
fn keys_are_shared_in_proportion_to_the_weights() {
    for (kind, bound) in [(Kind::Maglev, 0.05), (Kind::Ring, 0.20), (Kind::Rendezvous, 0.05)] {
        for units in [|_| 1000, |name| 1000 * (1 + name % 3)] {
            let all: Vec<u32> = (0..10).map(units).collect();
            let worst = deviation(&homes(&table(kind, None, 0..10, units), |_| true), &all);
            assert!(worst < bound, "{kind:?}: {worst} off a share of {all:?}");
        }
    }
}

#[test]
fn few_keys_move_when_an_endpoint_leaves_or_another_comes() {
    for (kind, bound) in [(Kind::Maglev, 0.05), (Kind::Ring, 0.05), (Kind::Rendezvous, 0.005)] {
        for n in [3, 10, 100, 700] {
            let before = homes(&table(kind, None, 0..n, |_| 1000), |_| true);
            let after = homes(&table(kind, None, 1..n, |_| 1000), |_| true);
            let moved = before.iter().zip(&after).filter(|(before, after)| **before != **after + 1).count() as f64 / KEYS as f64;
            let share = 1.0 / f64::from(n);
            assert!(moved <= share + bound, "{kind:?}: {moved} of the keys moved when one of {n} left");
            let of_others = before.iter().zip(&after).filter(|(before, after)| **before != 0 && **before != **after + 1).count();
            assert!(kind == Kind::Maglev || of_others == 0, "{kind:?}: {of_others} keys moved that were not of who left");
        }
    }
}

#[test]
fn the_declared_order_moves_no_key() {
    for kind in KINDS {
        let forward = homes(&table(kind, None, 0..7, |name| 500 + name), |_| true);
        let backward = homes(&table(kind, None, (0..7).rev(), |name| 500 + name), |_| true);
        assert!(forward.iter().zip(&backward).all(|(one, other)| *one == 6 - other), "{kind:?}");
    }
}

#[test]
fn an_ineligible_endpoint_s_keys_are_shared_by_all_others_and_come_back() {
    for kind in KINDS {
        let table = table(kind, None, 0..10, |_| 1000);
        let (before, during) = (homes(&table, |_| true), homes(&table, |index| index != 4));
        assert!(before.iter().zip(&during).all(|(before, during)| *before == 4 || before == during), "{kind:?}: only its own keys go");
        let taken: Vec<usize> = before.iter().zip(&during).filter(|(before, _)| **before == 4).map(|(_, during)| *during).collect();
        for other in (0..10).filter(|other| *other != 4) {
            let share = taken.iter().filter(|taken| **taken == other).count() as f64 / taken.len() as f64;
            assert!((0.05..0.20).contains(&share), "{kind:?}: {other} took {share} of them");
        }
    }
}

#[test]
fn the_one_eligible_among_thousands_is_found() {
    for kind in KINDS {
        let table = table(kind, None, 0..3000, |_| 1000);
        assert!((0..20).all(|number| table.pick(key(number), |index| index == 1234, |_| 0) == Some(1234)), "{kind:?}");
        assert_eq!(table.pick(key(0), |_| false, |_| 0), None);
        assert_eq!(table.pick(Occasion { key: None, ..key(0) }, |_| true, |_| 0), None);
    }
}

#[test]
fn nobody_is_picked_of_nobody_and_never_one_without_a_weight() {
    for kind in KINDS {
        assert_eq!(table(kind, Some(1.25), 0..0, |_| 1).pick(key(0), |_| true, |_| 0), None);
        assert_eq!(table(kind, None, 0..3, |_| 0).pick(key(0), |_| true, |_| 0), None);
        let half = table(kind, None, 0..6, |name| name % 2 * 1000);
        assert!(homes(&half, |_| true).iter().all(|home| home % 2 == 1), "{kind:?}");
        let tiny = table(kind, None, 0..3, |name| if name == 0 { u32::MAX } else { 1 });
        assert!(homes(&tiny, |_| true).iter().filter(|home| **home == 0).count() > 99_000, "{kind:?}");
    }
}

#[test]
fn a_bounded_load_holds_however_the_keys_fall() {
    for kind in KINDS {
        let table = table(kind, Some(1.25), 0..10, |name| 1000 * (1 + name % 2));
        let mut loads = [0_u32; 10];
        // One key in four is the same: without a bound its home would have a quarter of everything.
        for number in 0..3000 {
            let hot = if draw(3, number) % 4 == 0 { 0 } else { number };
            loads[table.pick(key(hot), |index| index != 7, |index| loads[index]).unwrap()] += 1;
        }
        let units: u32 = (0..10).filter(|index| *index != 7).map(|index| 1 + index % 2).sum();
        for (index, load) in loads.into_iter().enumerate() {
            let fair = 3000.0 * (1 + index % 2) as f64 / f64::from(units);
            assert!(f64::from(load) <= (1.25 * fair).ceil(), "{kind:?}: {load} on {index}, fair is {fair}");
        }
        assert_eq!((loads[7], loads.iter().sum()), (0, 3000_u32));
    }
}

#[test]
fn within_its_bound_a_key_stays_at_home() {
    for kind in KINDS {
        let (bounded, free) = (table(kind, Some(1.25), 0..10, |_| 1000), table(kind, None, 0..10, |_| 1000));
        for number in 0..1000 {
            assert_eq!(bounded.pick(key(number), |_| true, |_| 8), free.pick(key(number), |_| true, |_| 8), "{kind:?}");
        }
    }
}
