//! How endpoints of a pool are passed over, tried and taken back, on a clock of its own.

use std::collections::BTreeMap;

use super::tests::spec;
use super::*;
use crate::failover::serving::Status;
use crate::failover::standing::Stand;
use crate::server::bell::Bell;
use crate::snapshot::{PolicySpec, WhenAllDownSpec};

const NAMES: [(&str, u32); 3] = [("127.0.0.1:1", 1), ("127.0.0.1:2", 1), ("127.0.0.1:3", 1)];

/// A pool of three that tells what happens to it.
struct Scene {
    pool: Arc<Pool>,
    events: Arc<Events>,
}

impl Scene {
    fn new(edit: impl FnOnce(&mut PoolSpec)) -> Self {
        let mut spec = spec(&NAMES, None);
        edit(&mut spec);
        let pool = Arc::new(Pool::build("app", spec, None, 1, 0.0).unwrap());
        let events = Arc::new(Events::new(Arc::new(Bell::default())));
        pool.report_to(&events);
        Self { pool, events }
    }

    fn pick(&self, now: u64) -> Result<Lease, Unpicked> {
        self.pool.pick(&Ask::default(), || now)
    }

    /// How often each endpoint is picked, of so many times; each pick is over before the next.
    fn picks(&self, count: usize, now: u64) -> BTreeMap<usize, usize> {
        let mut found = BTreeMap::new();
        for _ in 0..count {
            *found.entry(self.pick(now).ok().unwrap().index()).or_default() += 1;
        }
        found
    }

    /// Who is picked in a few turns.
    fn who(&self, now: u64) -> Vec<usize> {
        self.picks(12, now).into_keys().collect()
    }

    fn fails(&self, index: usize, cause: Cause, now: u64) {
        self.pool.failed(&self.pool.endpoints[index], 0, cause, now);
    }

    /// The next pick of an endpoint, among those that come first.
    fn lease(&self, index: usize, now: u64) -> Lease {
        std::iter::repeat_with(|| self.pick(now).ok().unwrap()).take(50).find(|lease| lease.index() == index).unwrap()
    }

    fn answers(&self, lease: &Lease, ok: bool, now: u64) {
        self.pool.answered(lease, 0, 0.01, ok, || now);
    }

    fn stands(&self, index: usize, stand: &str, seen: u64, now: u64) {
        let stand: Stand = serde_json::from_str(stand).unwrap();
        self.pool.stand(&self.pool.endpoints[index].id, &stand, seen, now);
    }

    /// Kinds and causes of the events since the last look.
    fn told(&self) -> Vec<String> {
        let word = |told: crate::failover::events::Told| {
            let kind = serde_json::to_value(told.kind).unwrap().as_str().unwrap().to_owned();
            told.cause.map_or(kind.clone(), |cause| format!("{kind}:{cause}"))
        };
        self.events.read(0).events.into_iter().map(word).collect()
    }

    fn status(&self, index: usize, now: u64) -> Status {
        self.pool.endpoints[index].state.standing.read(|inner| inner.status(now).0)
    }
}

#[test]
fn who_refuses_is_passed_over_at_once_and_tried_by_one_exchange_at_a_time() {
    let scene = Scene::new(|_| {});
    scene.fails(0, Cause::ConnectRefused, 100);
    assert_eq!((scene.who(100), scene.who(1099)), (vec![1, 2], vec![1, 2]));
    let trial = scene.lease(0, 1100);
    assert_eq!(scene.who(1100), [1, 2], "while it is tried");
    scene.fails(0, Cause::ConnectRefused, 1200);
    drop(trial);
    assert_eq!(scene.who(3199), [1, 2], "twice as long");
    let trial = scene.lease(0, 3200);
    scene.answers(&trial, true, 3210);
    assert_eq!(scene.who(3210), [0, 1, 2], "before the exchange is over");
    let told = ["reflex:connect_refused", "trial_started", "trial_failed:connect_refused", "trial_started", "trial_passed"];
    assert_eq!(scene.told(), told);
}

#[test]
fn a_trial_that_ends_without_an_answer_is_followed_by_another() {
    let scene = Scene::new(|_| {});
    scene.fails(0, Cause::ConnectRefused, 0);
    drop(scene.lease(0, 1000));
    drop(scene.lease(0, 1000));
    assert_eq!(scene.told(), ["reflex:connect_refused", "trial_started", "trial_started"]);
}

#[test]
fn a_server_error_is_no_recovery_and_fails_a_trial() {
    let scene = Scene::new(|_| {});
    let before = scene.lease(0, 0);
    for _ in 0..3 {
        scene.fails(0, Cause::ResetBeforeResponse, 0);
    }
    scene.answers(&before, false, 10);
    assert_eq!(scene.who(20), [1, 2]);
    let trial = scene.lease(0, 1000);
    scene.answers(&trial, false, 1010);
    drop(trial);
    assert_eq!((scene.who(1020), scene.who(3009)), (vec![1, 2], vec![1, 2]));
    assert_eq!(scene.told().last().unwrap(), "trial_failed:reset_before_response");
}

#[test]
fn an_exchange_that_began_before_does_not_bring_an_endpoint_back() {
    let scene = Scene::new(|_| {});
    let before = scene.lease(0, 0);
    scene.fails(0, Cause::ConnectRefused, 10);
    scene.answers(&before, true, 20);
    assert_eq!(scene.who(30), [1, 2], "it finishes, but takes no one new");
}

#[test]
fn nothing_is_looked_at_by_a_pick_while_nobody_is_tried_or_starts_slowly() {
    let scene = Scene::new(|_| {});
    scene.who(0);
    assert!(!scene.pool.attend(|| panic!("the clock is read")), "all is well");
    scene.fails(0, Cause::ConnectRefused, 10);
    assert!(!scene.pool.attend(|| 20), "one is passed over, which is in the masks");
    assert!(scene.pool.attend(|| 1010), "one is to be tried");
    scene.stands(0, r#"{"status": "down"}"#, 9, 1020);
    scene.who(1020);
    assert!(!scene.pool.attend(|| panic!("the clock is read")), "one is down until control says otherwise");
    scene.stands(0, r#"{"status": "healthy"}"#, 9, 1030);
    scene.who(1030);
    assert!(!scene.pool.attend(|| panic!("the clock is read")));
}

#[test]
fn what_control_says_holds_until_it_lapses_by_itself() {
    for (word, trial) in [("down", true), ("ejected", true), ("suspect", true), ("draining", false), ("disabled", false)] {
        let scene = Scene::new(|_| {});
        scene.stands(0, &format!(r#"{{"status": "{word}", "for": 2.5}}"#), 0, 1000);
        assert_eq!((scene.who(1000), scene.who(3499)), (vec![1, 2], vec![1, 2]), "{word}");
        let held = scene.lease(0, 3500);
        assert_eq!(scene.who(3500).contains(&0), !trial, "{word}");
        scene.answers(&held, true, 3600);
        assert_eq!((scene.who(3600), scene.status(0, 3600)), (vec![0, 1, 2], Status::Healthy), "{word}");
        assert!(scene.pool.endpoints[0].state.standing.is_calm(), "{word}");
    }
}

#[test]
fn control_does_not_undo_what_it_has_not_seen() {
    let scene = Scene::new(|_| {});
    scene.fails(0, Cause::ConnectRefused, 0);
    let seen = scene.events.read(0).number;
    scene.stands(0, r#"{"status": "healthy"}"#, seen - 1, 10);
    assert_eq!(scene.who(10), [1, 2]);
    scene.stands(0, r#"{"status": "healthy"}"#, seen, 20);
    assert_eq!(scene.who(20), [0, 1, 2]);
    scene.pool.suspect(&scene.pool.endpoints[1], 30);
    scene.stands(1, r#"{"status": "healthy"}"#, seen, 40);
    assert_eq!((scene.status(1, 40), scene.who(40)), (Status::Suspect, vec![0, 2]));
}

#[test]
fn while_all_are_down_everybody_is_tried_and_the_first_who_answers_serves_at_once() {
    let scene = Scene::new(|_| {});
    for index in 0..3 {
        scene.fails(index, Cause::ConnectRefused, 0);
    }
    assert_eq!(scene.who(10), [0, 1, 2]);
    assert!(scene.pool.is_all_down());
    let lease = scene.lease(1, 20);
    assert!(lease.is_all_down());
    scene.answers(&lease, true, 30);
    assert_eq!(scene.who(30), [1]);
    assert!(!scene.pool.is_all_down());
    let refused = vec!["reflex:connect_refused"; 3];
    assert_eq!(scene.told(), [refused, vec!["all_down", "recovered", "all_up"]].concat());
}

#[test]
fn a_pool_that_fails_fast_lets_one_trial_through_and_refuses_the_rest() {
    let scene = Scene::new(|spec| spec.when_all_down = WhenAllDownSpec::FailFast);
    for index in 0..3 {
        scene.fails(index, Cause::ConnectRefused, 0);
    }
    assert_eq!(scene.pick(10).err(), Some(Unpicked::Down));
    let trials: Vec<Lease> = (0..3).map(|_| scene.pick(1000).ok().unwrap()).collect();
    assert_eq!(scene.pick(1000).err(), Some(Unpicked::Down));
    scene.answers(&trials[0], true, 1010);
    assert_eq!(scene.who(1010), [trials[0].index()]);
}

#[test]
fn a_standby_serves_while_the_primaries_do_not_and_gives_back_after_the_hold_down() {
    let scene = Scene::new(|spec| spec.endpoints[2].tier = 1);
    assert_eq!(scene.who(0), [0, 1]);
    scene.fails(0, Cause::ConnectRefused, 10);
    assert_eq!(scene.who(10), [1]);
    scene.fails(1, Cause::ConnectRefused, 20);
    assert_eq!(scene.who(20), [2]);
    // Each has its trial while the standby serves.
    for index in [0, 1] {
        scene.answers(&scene.lease(index, 1030), true, 1030);
    }
    assert_eq!((scene.who(1030), scene.who(11_029), scene.who(11_030)), (vec![2], vec![2], vec![0, 1]));
    let told = scene.told();
    assert_eq!(told.iter().filter(|word| *word == "tier").count(), 2, "{told:?}");
}

#[test]
fn a_request_that_all_of_a_tier_have_had_goes_to_the_next() {
    let scene = Scene::new(|spec| (spec.endpoints[1].tier, spec.endpoints[2].tier) = (1, 2));
    let tried = [Arc::clone(&scene.pool.endpoints[0].id)];
    for _ in 0..5 {
        assert_eq!(scene.pool.pick(&Ask::without_key(&tried), || 0).ok().unwrap().index(), 1);
    }
    assert_eq!(scene.who(0), [0]);
}

#[test]
fn who_is_back_takes_up_its_share_slowly_under_every_policy() {
    let policies = [
        r#"{"kind":"weighted_round_robin"}"#,
        r#"{"kind":"round_robin"}"#,
        r#"{"kind":"random"}"#,
        r#"{"kind":"score","order":"least","expression":"inflight","choices":null,"ties":"random"}"#,
    ];
    for policy in policies {
        let Ok(policy) = serde_json::from_str::<PolicySpec>(policy) else { continue };
        let scene = Scene::new(|spec| (spec.policy, spec.slow_start) = (policy, 10.0));
        scene.fails(0, Cause::ConnectRefused, 0);
        scene.answers(&scene.lease(0, 1000), true, 1000);
        let share = |now| *scene.picks(3000, now).get(&0).unwrap_or(&0) as f64 / 1000.0;
        let (early, half, full) = (share(1001), share(6000), share(11_000));
        assert!((0.05..0.2).contains(&early) && (0.35..0.7).contains(&half) && full > 0.9, "{early} {half} {full}");
        assert!(!scene.pool.attend(|| 20_000));
    }
}

#[test]
fn slow_start_leaves_nobody_without_an_endpoint() {
    let scene = Scene::new(|spec| spec.slow_start = 10.0);
    for index in 0..3 {
        scene.fails(index, Cause::ConnectRefused, 0);
    }
    scene.answers(&scene.lease(0, 10), true, 10);
    assert_eq!(scene.picks(100, 20).get(&0), Some(&100));
}

#[test]
fn who_joins_later_has_one_exchange_at_a_time_until_one_succeeds() {
    let scene = Scene::new(|_| {});
    let mut more = scene.pool.spec.clone();
    more.endpoints.push(crate::snapshot::EndpointSpec { id: "new".into(), ..more.endpoints[0].clone() });
    let pool = Arc::new(Pool::build("app", more, Some(&scene.pool), 1, 5.0).unwrap());
    let scene = Scene { pool, ..scene };
    let trial = scene.lease(3, 5000);
    assert_eq!(scene.who(5000), [0, 1, 2]);
    scene.answers(&trial, true, 5100);
    assert_eq!(scene.who(5100), [0, 1, 2, 3]);
}

#[test]
fn a_probed_pool_serves_at_its_start_and_then_only_by_whom_a_probe_has_passed() {
    let scene = Scene::new(|spec| spec.probed = true);
    assert_eq!(scene.who(0), [0, 1, 2]);
    scene.stands(1, r#"{"status": "healthy"}"#, 0, 10);
    assert_eq!(scene.who(10), [1]);
    scene.stands(0, r#"{"status": "healthy"}"#, 0, 20);
    assert_eq!(scene.who(20), [0, 1]);
}

#[test]
fn a_server_that_asks_to_be_left_alone_is_unless_nobody_else_is_left() {
    let scene = Scene::new(|_| {});
    scene.pool.put_off(&scene.pool.endpoints[0], 5, 0);
    assert_eq!((scene.who(0), scene.who(4999), scene.who(5000)), (vec![1, 2], vec![1, 2], vec![0, 1, 2]));
    scene.answers(&scene.lease(0, 5000), true, 5000);
    assert!(scene.pool.endpoints[0].state.standing.is_calm());
    for endpoint in &scene.pool.endpoints[..2] {
        scene.fails(2, Cause::ConnectRefused, 6000);
        scene.pool.put_off(endpoint, 5, 6000);
    }
    assert_eq!(scene.who(6000).len(), 2, "one serves, and one is tried");
    assert!(scene.told().contains(&"draining:retry_after".to_owned()));
}

#[test]
fn a_server_that_closes_a_kept_connection_for_the_first_time_takes_nobody_new_for_a_while() {
    let scene = Scene::new(|_| {});
    let [first, second, _] = &*scene.pool.endpoints else { panic!("three") };
    scene.pool.closing(first, true, || 0);
    assert_eq!((scene.who(0), scene.who(999)), (vec![1, 2], vec![1, 2]));
    scene.pool.closing(second, false, || 0);
    scene.pool.closing(second, true, || 0);
    assert_eq!(scene.who(0), [1, 2], "it always closes");
    scene.answers(&scene.lease(0, 1000), true, 1000);
    scene.pool.closing(first, true, || 1010);
    assert_eq!(scene.who(1010), [0, 1, 2], "it did so before");
    assert_eq!(scene.told()[0], "draining:connection_close");
}

#[test]
fn a_silent_endpoint_gets_no_pick_until_it_is_heard() {
    let scene = Scene::new(|_| {});
    let running = scene.lease(0, 0);
    scene.pool.suspect(&scene.pool.endpoints[0], 10);
    assert_eq!((scene.who(10), scene.status(0, 10)), (vec![1, 2], Status::Suspect));
    scene.answers(&running, true, 20);
    assert_eq!(scene.who(20), [0, 1, 2]);
    assert_eq!(scene.told(), ["reflex:slow", "recovered"]);
}

#[test]
fn a_pool_that_is_held_passes_nobody_over() {
    let scene = Scene::new(|_| {});
    scene.pool.hold_still(true);
    for _ in 0..5 {
        scene.fails(0, Cause::ConnectRefused, 0);
    }
    scene.pool.suspect(&scene.pool.endpoints[1], 0);
    assert_eq!(scene.who(0), [0, 1, 2]);
    scene.pool.hold_still(false);
    scene.fails(0, Cause::ConnectRefused, 10);
    assert_eq!(scene.who(10), [1, 2]);
}

#[test]
fn what_happens_under_an_old_snapshot_is_heard_under_the_new_one() {
    let old = Scene::new(|_| {});
    old.who(0);
    let mut spec = old.pool.spec.clone();
    spec.connect_timeout = Duration::from_secs(7);
    let new = Scene { pool: Arc::new(Pool::build("app", spec, Some(&old.pool), 1, 0.0).unwrap()), events: Arc::clone(&old.events) };
    assert_eq!(new.who(0), [0, 1, 2]);
    old.fails(0, Cause::ConnectRefused, 10);
    assert_eq!((new.who(10), old.who(10)), (vec![1, 2], vec![1, 2]));
}

#[test]
fn a_pinned_client_stays_with_an_endpoint_that_drains_and_leaves_one_that_is_disabled() {
    let scene = Scene::new(|_| {});
    let pinned = || scene.pool.pick(&Ask { pinned: Some(0), ..Ask::default() }, || 0).ok().unwrap().index();
    scene.stands(0, r#"{"status": "draining"}"#, 0, 0);
    assert_eq!((pinned(), scene.who(0)), (0, vec![1, 2]));
    scene.stands(0, r#"{"status": "disabled"}"#, 0, 0);
    assert_ne!(pinned(), 0);
}

#[test]
fn a_trial_that_has_passed_stands_in_nobody_s_way_however_long_its_exchange_goes_on() {
    let scene = Scene::new(|_| {});
    scene.fails(0, Cause::ConnectRefused, 0);
    let long = scene.lease(0, 1000);
    scene.answers(&long, true, 1010);
    scene.fails(0, Cause::ConnectRefused, 2000);
    let next = scene.lease(0, 4000);
    scene.answers(&next, true, 4010);
    assert_eq!(scene.who(4010), [0, 1, 2]);
    drop(long);
    assert_eq!(scene.told().last().unwrap(), "trial_passed");
}

#[test]
fn who_is_disabled_is_left_alone_while_all_are_down_though_it_had_failed_before() {
    let scene = Scene::new(|_| {});
    for index in 0..3 {
        scene.fails(index, Cause::ConnectRefused, 0);
    }
    scene.stands(0, r#"{"status": "disabled"}"#, 3, 10);
    assert_eq!(scene.who(10), [1, 2]);
    scene.stands(0, r#"{"status": "disabled", "for": 1}"#, 3, 10);
    assert_eq!((scene.who(500), scene.who(1010)), (vec![1, 2], vec![0, 1, 2]));
}
