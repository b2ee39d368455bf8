//! The rule of who may serve, line by line.

use super::*;

const fn healthy(tier: u8) -> EndpointView {
    EndpointView { tier, weight: 1, status: Status::Healthy, until: None, passed_until: None, fact: false, trial: false, last: false }
}

fn with(status: Status) -> EndpointView {
    EndpointView { status, ..healthy(0) }
}

fn passed(tier: u8, until: u64, fact: bool) -> EndpointView {
    EndpointView { passed_until: Some(until), fact, ..healthy(tier) }
}

const RULES: PoolRules = PoolRules {
    min_healthy: MinHealthySpec::Count(1),
    automatic: true,
    hold_down: 10_000,
    max_ejected: 0.5,
    probed: false,
    when_all_down: AllDown::TryAll,
};

fn ask(endpoints: &[EndpointView]) -> Serving {
    serving(endpoints, &RULES, Memory::default(), 1000).0
}

/// The bits as digits.
fn digits(mask: &[bool]) -> String {
    mask.iter().map(|bit| if *bit { '1' } else { '0' }).collect()
}

#[test]
fn a_status_decides_who_takes_picks_and_who_is_left_to_pinned_clients() {
    let statuses = [
        (Status::Healthy, "1", "1"),
        (Status::Suspect, "0", "1"),
        (Status::Unknown, "1", "1"),
        (Status::Down, "0", "0"),
        (Status::Ejected, "0", "0"),
        (Status::Draining, "0", "1"),
        (Status::Disabled, "0", "0"),
        (Status::Unresolved, "0", "0"),
    ];
    for (status, mask, pinned) in statuses {
        let result = ask(&[with(status), healthy(0), healthy(0)]);
        assert_eq!((&digits(&result.mask)[..1], &digits(&result.pinned)[..1]), (mask, pinned), "{status:?}");
        assert_eq!(&digits(&result.mask)[1..], "11", "{status:?}");
    }
}

#[test]
fn a_status_that_lapsed_counts_no_more_and_leaves_a_trial_where_it_had_said_something_bad() {
    for status in [Status::Down, Status::Ejected, Status::Suspect, Status::Draining, Status::Disabled] {
        let of = |until| ask(&[EndpointView { until: Some(until), ..with(status) }, healthy(0)]);
        assert_eq!(of(1001).due, Some(1001));
        assert_eq!(digits(&of(1001).mask), "01", "{status:?}");
        let trial = !matches!(status, Status::Draining | Status::Disabled);
        assert_eq!((digits(&of(1000).mask), of(1000).trials[0], of(1000).due), ("11".into(), trial, None), "{status:?}");
    }
}

#[test]
fn one_exchange_at_a_time_is_the_trial_of_who_was_passed_over() {
    assert_eq!(digits(&ask(&[passed(0, 1001, true), healthy(0)]).mask), "01");
    let lapsed = passed(0, 1000, true);
    let result = ask(&[lapsed, healthy(0)]);
    assert_eq!((digits(&result.mask), digits(&result.trials)), ("11".into(), "10".into()));
    let result = ask(&[EndpointView { trial: true, ..lapsed }, healthy(0)]);
    assert_eq!((digits(&result.mask), digits(&result.pinned)), ("01".into(), "01".into()));
}

#[test]
fn a_suspect_serves_only_where_no_healthy_peer_of_its_tier_does() {
    let suspect = with(Status::Suspect);
    let result = ask(&[suspect, suspect, healthy(1)]);
    assert_eq!((digits(&result.mask), digits(&result.beyond)), ("110".into(), "001".into()));
    let result = ask(&[suspect, healthy(0), healthy(1)]);
    assert_eq!((digits(&result.mask), digits(&result.beyond)), ("010".into(), "101".into()));
}

#[test]
fn all_who_are_new_serve_at_once_where_nobody_better_is_known() {
    let new = with(Status::Unknown);
    let probed = PoolRules { probed: true, ..RULES };
    for rules in [RULES, probed] {
        let result = serving(&[new, new, with(Status::Down), EndpointView { tier: 1, ..new }], &rules, Memory::default(), 1000).0;
        assert_eq!((digits(&result.mask), digits(&result.trials), result.mode), ("1100".into(), "0000".into(), Mode::Serving));
    }
    let pool = [new, healthy(0)];
    assert_eq!(digits(&serving(&pool, &probed, Memory::default(), 0).0.mask), "01", "its first probe has not passed");
    let result = ask(&pool);
    assert_eq!((digits(&result.mask), digits(&result.trials)), ("11".into(), "10".into()), "one live trial at a time");
}

#[test]
fn judgements_take_out_half_of_a_tier_at_most_and_never_the_last() {
    let judged = |until| passed(0, until, false);
    let both = |endpoints: &[EndpointView]| {
        let asked = ask(endpoints);
        (digits(&asked.mask), digits(&asked.trials))
    };
    assert_eq!(both(&[judged(3000), judged(4000), healthy(0), healthy(0)]), ("0011".into(), "0000".into()));
    let more = both(&[judged(2000), judged(3000), judged(4000), healthy(0)]);
    assert_eq!(more, ("1111".into(), "0110".into()), "more than half are judged: those judged longest are tried, one exchange at a time");
    assert_eq!(both(&[judged(2000), judged(2000)]), ("11".into(), "10".into()), "the first declared is tried");
    assert_eq!(digits(&ask(&[judged(2000)]).mask), "1");
    assert_eq!(digits(&ask(&[judged(2000), passed(0, 2000, true)]).mask), "10", "a fact is not bound");
    assert_eq!(digits(&ask(&[judged(2000), healthy(1)]).mask), "01", "its standby takes over");
    assert_eq!(digits(&ask(&[judged(2000), passed(1, 2000, false)]).mask), "10", "but somebody always serves");
    let none = PoolRules { max_ejected: 0.0, ..RULES };
    assert_eq!(digits(&serving(&[judged(2000), healthy(0)], &none, Memory::default(), 0).0.mask), "11");
    assert_eq!(both(&[EndpointView { until: Some(5000), ..with(Status::Ejected) }, judged(9000)]), ("11".into(), "01".into()));
}

#[test]
fn while_all_are_down_the_pool_does_what_it_is_told() {
    let down = with(Status::Down);
    let half_open = passed(0, 10, true);
    let pool = [
        down,
        EndpointView { last: true, ..down },
        half_open,
        with(Status::Disabled),
        with(Status::Unresolved),
        EndpointView { weight: 0, ..down },
    ];
    let forms = [
        (AllDown::TryAll, "111000", "000000"),
        (AllDown::LastHealthy, "011000", "001000"),
        (AllDown::FailFast, "001000", "001000"),
        (AllDown::Pool, "001000", "001000"),
        (AllDown::Respond, "001000", "001000"),
    ];
    for (when_all_down, mask, trials) in forms {
        let rules = PoolRules { when_all_down, ..RULES };
        let result = serving(&pool, &rules, Memory::default(), 1000).0;
        assert_eq!((digits(&result.mask), digits(&result.trials)), (mask.into(), trials.into()), "{when_all_down:?}");
        assert_eq!((result.mode, result.pinned), (Mode::AllDown, result.mask));
    }
    let nobody_served = PoolRules { when_all_down: AllDown::LastHealthy, ..RULES };
    assert_eq!(digits(&serving(&[down, down], &nobody_served, Memory::default(), 0).0.mask), "11");
}

#[test]
fn a_standby_is_tried_for_nothing_and_a_primary_that_may_be_back_is_while_the_standby_serves() {
    let result = ask(&[healthy(0), passed(1, 10, true)]);
    assert_eq!(digits(&result.mask), "10");
    let result = ask(&[passed(0, 10, true), healthy(1), passed(2, 10, true)]);
    assert_eq!((digits(&result.mask), digits(&result.trials), result.tier), ("110".into(), "100".into(), Some(1)));
}

#[test]
fn who_is_pinned_goes_along_with_its_tier_and_stays_where_the_weight_is_0() {
    let result = ask(&[healthy(0), EndpointView { weight: 0, ..healthy(0) }, healthy(1)]);
    assert_eq!((digits(&result.mask), digits(&result.pinned)), ("100".into(), "110".into()));
}

#[test]
fn a_backup_that_is_known_first_is_not_promoted_over_primaries_that_are_new() {
    let new = |tier: u8| EndpointView { status: Status::Unknown, ..healthy(tier) };
    for probed in [false, true] {
        let rules = PoolRules { probed, ..RULES };
        let (start, memory) = serving(&[new(0), new(0), healthy(1)], &rules, Memory::default(), 1000);
        assert_eq!((digits(&start.mask), digits(&start.beyond), start.tier, memory.tier), ("110".into(), "001".into(), Some(0), None));
        let down = EndpointView { status: Status::Down, ..healthy(0) };
        let (known, memory) = serving(&[down, down, healthy(1)], &rules, memory, 1100);
        assert_eq!((digits(&known.mask), known.tier, memory.tier), ("001".into(), Some(1), Some(1)));
        let (later, _) = serving(&[new(0), down, healthy(1)], &rules, memory, 1200);
        assert_eq!(later.tier, Some(1), "once a tier has served, who is new must show first that it can");
    }
}
