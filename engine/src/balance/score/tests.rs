//! Picks by score equal the rule as it is written, whatever the scores and whoever is eligible.

use super::*;
use crate::balance::program::ROW;
use crate::balance::view::{All, Masked};

/// Endpoints whose in-flight count and weight are given.
struct Table {
    inflight: Vec<f64>,
    weight: Vec<f64>,
}

impl View for Table {
    fn count(&self) -> usize {
        self.inflight.len()
    }

    fn fill(&self, field: Field, block: usize, out: &mut [f64]) {
        assert!(out.len() % ROW == 0 && out.len() <= BLOCK);
        for (lane, out) in out.iter_mut().enumerate().take(self.count() - block * BLOCK) {
            *out = self.value(field, block * BLOCK + lane);
        }
    }

    fn value(&self, field: Field, index: usize) -> f64 {
        match field {
            Field::Inflight => self.inflight[index],
            Field::Weight => self.weight[index],
            _ => panic!("{field:?} is not asked for"),
        }
    }
}

fn table(inflight: &[f64]) -> Table {
    Table { inflight: inflight.to_vec(), weight: vec![1.0; inflight.len()] }
}

fn score(order: &str, expression: &str, choices: &str, ties: &str) -> Score {
    let json = format!(r#"{{"order": {order:?}, "expression": {expression}, "choices": {choices}, "ties": {ties:?}}}"#);
    Score::new(&serde_json::from_str(&json).unwrap(), &mut Metrics::default()).unwrap()
}

fn occasion(seed: u64, turn: u64) -> Occasion {
    Occasion { seed, turn, key: None }
}

/// The rule as it is written: the places of the best among these scores.
#[expect(clippy::float_cmp, reason = "ties are exact")]
fn best(most: bool, scores: &[(usize, f64)]) -> Vec<usize> {
    let finite: Vec<_> = scores.iter().filter(|(_, score)| score.is_finite()).collect();
    let end = finite.iter().map(|(_, score)| *score).reduce(|a, b| if most { a.max(b) } else { a.min(b) });
    scores.iter().filter(|(_, score)| end.is_none_or(|end| *score == end)).map(|(index, _)| *index).collect()
}

fn tie(rotate: bool, seed: u64, turn: u64, tied: &[usize]) -> Option<usize> {
    let number = if rotate { turn.checked_rem(tied.len() as u64)? } else { scale(draw(seed, turn), tied.len() as u64) };
    tied.get(usize::try_from(number).unwrap()).copied()
}

fn value(k: u64) -> f64 {
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0];
    let dice = draw(3, k);
    special.get((dice % 16) as usize).copied().unwrap_or(((dice >> 8) % 5) as f64 - 2.0)
}

#[test]
fn a_scan_finds_what_the_rule_says_whatever_the_scores_and_whoever_is_eligible() {
    for case in 0..3000_u64 {
        let count = [1, 2, 7, 8, 9, 63, 64, 65, 128, 200, 1000][(case % 11) as usize];
        // Some pools have nothing but a few values, so that none is finite or all tie.
        let kinds = if case % 5 == 0 { 3 } else { 1 << 40 };
        let view = table(&(0..count as u64).map(|index| value(case * 5000 + index % kinds)).collect::<Vec<_>>());
        let share = 1 + case % 4;
        let eligible = |index: usize| case % 3 == 0 || draw(case, index as u64) % (share * share) == 0;
        let (most, rotate) = (case % 2 == 0, case % 7 < 3);
        let score = score(if most { "most" } else { "least" }, r#""inflight""#, "null", if rotate { "rotate" } else { "random" });
        let scores: Vec<_> = (0..count).filter(|index| eligible(*index)).map(|index| (index, view.inflight[index])).collect();
        let expected = tie(rotate, 9, case, &best(most, &scores));
        assert_eq!(score.pick(&view, occasion(9, case), &eligible), expected, "case {case}");
    }
}

#[test]
fn choices_are_drawn_as_the_rule_says() {
    for case in 0..3000_u64 {
        let count = [1, 2, 5, 64, 100, 1000][(case % 6) as usize];
        let choices = [1, 2, 3, 8, 64][(case % 5) as usize];
        let view = table(&(0..count as u64).map(|index| value(case * 5000 + index)).collect::<Vec<_>>());
        let eligible = |index: usize| case % 4 != 0 && (case % 3 == 0 || draw(case, index as u64) % 4 == 0);
        let mut drawn: Vec<usize> = Vec::new();
        for sub in 0..8 * choices {
            let index = scale(draw(draw(9, case), sub), count as u64) as usize;
            if drawn.len() < choices as usize && eligible(index) && !drawn.contains(&index) {
                drawn.push(index);
            }
        }
        if drawn.is_empty() {
            drawn = (0..count).filter(|index| eligible(*index)).collect();
        }
        let scores: Vec<_> = drawn.iter().map(|index| (*index, view.inflight[*index])).collect();
        let score = score("least", r#""inflight""#, &choices.to_string(), "random");
        let picked = score.pick(&view, occasion(9, case), &eligible);
        assert_eq!(picked, tie(false, 9, case, &best(false, &scores)), "case {case}");
    }
}

#[test]
fn a_pool_above_the_limit_is_sampled_and_one_at_the_limit_is_not() {
    let mut view = table(&vec![1.0; SCAN_LIMIT]);
    view.inflight[700] = 0.0;
    let score = score("least", r#""inflight""#, "null", "random");
    let found = |view: &Table| (0..200).filter(|turn| score.pick(view, occasion(1, *turn), &All) == Some(700)).count();
    assert_eq!(found(&view), 200);
    view.inflight.push(1.0);
    let sampled = found(&view);
    assert!((1..10).contains(&sampled), "8 of 1,025 are seen by each pick, not {sampled} of 200");
}

#[test]
fn the_expression_decides() {
    let mut view = table(&[3.0, 2.0, 5.0]);
    view.weight = vec![1.0, 0.5, 2.0];
    let first = occasion(1, 0);
    let share = r#"["/", ["+", "inflight", 1], "weight"]"#;
    assert_eq!(score("least", share, "null", "random").pick(&view, first, &All), Some(2));
    assert_eq!(score("most", share, "null", "random").pick(&view, first, &All), Some(1));
    // 1 / 0 is worse than everything, at both ends.
    view.inflight = vec![0.0, 3.0, 4.0];
    let inverse = r#"["/", 1, "inflight"]"#;
    assert_eq!(score("most", inverse, "null", "random").pick(&view, first, &All), Some(1));
    assert_eq!(score("least", inverse, "null", "random").pick(&view, first, &All), Some(2));
    assert_eq!(score("least", "0", "null", "rotate").pick(&view, occasion(1, 4), &All), Some(1));
}

#[test]
fn where_all_weigh_alike_they_are_not_looked_at() {
    struct Alike(Table);
    impl View for Alike {
        fn count(&self) -> usize {
            self.0.count()
        }
        fn fill(&self, field: Field, block: usize, out: &mut [f64]) {
            assert_ne!(field, Field::Weight);
            self.0.fill(field, block, out);
        }
        fn value(&self, field: Field, index: usize) -> f64 {
            self.0.value(field, index)
        }
        fn weighs_alike(&self) -> bool {
            true
        }
    }
    let share = score("least", r#"["/", ["+", "inflight", "weight"], "weight"]"#, "null", "rotate");
    let numbers: Vec<f64> = (0..300).map(value).collect();
    for turn in 0..10 {
        let picked = share.pick(&Alike(table(&numbers)), occasion(1, turn), &All);
        assert_eq!(picked, share.pick(&table(&numbers), occasion(1, turn), &All));
    }
}

#[test]
fn nobody_is_picked_where_nobody_is_eligible() {
    let score = score("least", r#""inflight""#, "null", "rotate");
    let fourth = occasion(1, 3);
    assert_eq!(score.pick(&table(&[]), fourth, &All), None);
    assert_eq!(score.pick(&table(&vec![1.0; 3000]), fourth, &|_| false), None);
}

#[test]
fn masks_and_a_check_leave_those_in_both() {
    let view = table(&[0.0; 130]);
    let score = score("least", r#""inflight""#, "null", "rotate");
    let masked = Masked { masks: &[0b110, 0, 0b11], check: Some(|index: usize| index != 2) };
    let picks: Vec<_> = (0..3).filter_map(|turn| score.pick(&view, occasion(1, turn), &masked)).collect();
    assert_eq!(picks, [1, 128, 129]);
    assert!(masked.has(1) && !masked.has(2) && !masked.has(3) && !masked.has(500));
    assert_eq!(Masked::<fn(usize) -> bool> { check: None, ..Masked { masks: &[0b100], check: None } }.lanes(0, u64::MAX), 0b100);
}

#[test]
fn a_view_may_pick_in_turn() {
    struct Nested(Table, Score);
    impl View for Nested {
        fn count(&self) -> usize {
            self.0.count()
        }
        fn fill(&self, field: Field, block: usize, out: &mut [f64]) {
            assert_eq!(self.1.pick(&table(&[4.0, 1.0]), occasion(1, 0), &All), Some(1));
            self.0.fill(field, block, out);
        }
        fn value(&self, field: Field, index: usize) -> f64 {
            self.0.value(field, index)
        }
    }
    let score = score("least", r#""inflight""#, "null", "random");
    let view = Nested(table(&[3.0, 2.0, 1.0]), score.clone());
    assert_eq!(score.pick(&view, occasion(1, 0), &All), Some(2));
}

#[test]
fn choices_beyond_the_bounds_are_refused() {
    for choices in [0, MOST_CHOICES + 1] {
        let spec = ScoreSpec { order: Order::Least, expression: ExpressionSpec::Number(1.0), choices: Some(choices), ties: Ties::Random };
        assert!(Score::new(&spec, &mut Metrics::default()).unwrap_err().contains("from 1 to 64"));
    }
}
