//! The turns of weighted round robin.

/// The most entries of a weighted cycle.
pub const LONGEST_CYCLE: u64 = 65_536;

/// Those of one weight. They take turns in declared order, so whose turn it is among them is known without a comparison.
struct Group {
    weight: i64,
    members: Vec<u32>,
    /// Whose turn it is.
    at: usize,
    /// Turns that this one has had.
    laps: i64,
}

/// nginx's smooth weighted round robin (commit 52327e0627f4), run once over a whole cycle: the picks of one weight lie as far apart as they
/// can.
///
/// Step by step each endpoint's credit grows by its weight; the highest credit takes the turn (the first of equals) and pays the sum of all
/// weights. The credit after `t` steps and `c` turns is thus `t * weight - c * sum`: of one weight it is highest for whoever had the fewest
/// turns, and a step compares weights instead of endpoints. A cycle of 65,536 turns has at most 362 different weights. `None` where it would
/// be longer than that.
#[must_use]
pub fn cycle(units: &[u32]) -> Option<Box<[u32]>> {
    let weights = reduced(units)?;
    let total: i64 = weights.iter().sum();
    let mut groups = grouped(&weights);
    let mut order = Vec::with_capacity(usize::try_from(total).unwrap_or(0));
    for step in 1..=total {
        let mut best: Option<(i64, u32, &mut Group)> = None;
        for group in &mut groups {
            let Some(index) = group.members.get(group.at).copied() else { continue };
            let credit = step * group.weight - group.laps * total;
            if best.as_ref().is_none_or(|(most, first, _)| credit > *most || (credit == *most && index < *first)) {
                best = Some((credit, index, group));
            }
        }
        let Some((_, index, group)) = best else { break };
        order.push(index);
        group.at += 1;
        if group.at == group.members.len() {
            group.at = 0;
            group.laps += 1;
        }
    }
    Some(order.into())
}

fn grouped(weights: &[i64]) -> Vec<Group> {
    let mut sorted: Vec<(i64, u32)> = weights.iter().copied().zip(0..).filter(|(weight, _)| *weight > 0).collect();
    sorted.sort_unstable();
    let groups = sorted.chunk_by(|one, next| one.0 == next.0);
    groups
        .filter_map(|group| {
            let weight = group.first()?.0;
            Some(Group { weight, members: group.iter().map(|(_, index)| *index).collect(), at: 0, laps: 0 })
        })
        .collect()
}

/// Weights divided by what they share; `None` where their sum is too large for a cycle.
fn reduced(units: &[u32]) -> Option<Vec<i64>> {
    let divisor = units.iter().fold(0, |divisor, units| gcd(divisor, *units)).max(1);
    let total: u64 = units.iter().map(|units| u64::from(units / divisor)).sum();
    (total <= LONGEST_CYCLE).then(|| units.iter().map(|units| i64::from(units / divisor)).collect())
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rule as nginx writes it, endpoint by endpoint.
    fn plainly(units: &[u32]) -> Vec<u32> {
        let weights = reduced(units).unwrap();
        let total: i64 = weights.iter().sum();
        let mut credits = vec![0; weights.len()];
        (0..total)
            .map(|_| {
                let mut best = 0;
                for index in 0..weights.len() {
                    credits[index] += weights[index];
                    if credits[index] > credits[best] {
                        best = index;
                    }
                }
                credits[best] -= total;
                best as u32
            })
            .collect()
    }

    proptest! {
        #[test]
        fn a_step_over_weights_is_a_step_over_endpoints(units in proptest::collection::vec(0_u32..12, 1..20)) {
            prop_assert_eq!(cycle(&units).unwrap().to_vec(), plainly(&units));
        }
    }

    #[test]
    fn a_long_cycle_is_the_same_too() {
        let units: Vec<u32> = (0..300).map(|index| index * index % 397 + 1).collect();
        assert_eq!(cycle(&units).unwrap().to_vec(), plainly(&units));
    }

    #[test]
    fn the_turns_are_those_that_nginx_documents() {
        let turns = |units: &[u32]| cycle(units).unwrap().to_vec();
        assert_eq!(turns(&[5000, 1000, 1000]), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(turns(&[10, 10, 10]), [0, 1, 2]);
        assert_eq!(turns(&[0, 2, 0]), [1]);
        assert!(turns(&[]).is_empty() && turns(&[0, 0]).is_empty());
    }

    #[test]
    fn there_is_no_cycle_that_would_be_too_long() {
        assert_eq!(cycle(&[65_535, 1]).unwrap().len() as u64, LONGEST_CYCLE);
        assert!(cycle(&[65_536, 1]).is_none());
    }
}
