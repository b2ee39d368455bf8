//! Pools without any network.

use super::*;
use crate::balance::slot::Column;
use crate::failover::reflex::PAUSE;
use crate::snapshot::{EjectionSpec, EndpointSpec, FailoverSpec, LoadReportSpec, PolicySpec, QueueSpec, RetrySpec, WhenAllDownSpec};
use std::sync::atomic::Ordering;

pub(crate) fn spec(endpoints: &[(&str, u32)], cap: Option<u32>) -> PoolSpec {
    PoolSpec {
        policy: PolicySpec::WeightedRoundRobin,
        seed: 1,
        endpoints: endpoints
            .iter()
            .map(|(address, weight)| EndpointSpec {
                id: (*address).into(),
                address: (*address).into(),
                target: (!address.contains("example")).then(|| (*address).into()),
                weight: *weight,
                tier: 0,
            })
            .collect(),
        host: HostSpec::Client,
        connect_timeout: Duration::from_secs(1),
        max_connections: None,
        max_inflight: cap,
        queue: QueueSpec { size: 10, timeout: Duration::from_secs(1) },
        retry: RetrySpec::default(),
        affinity: None,
        load_report: LoadReportSpec::default(),
        failover: FailoverSpec::default(),
        when_all_down: WhenAllDownSpec::default(),
        ejection: EjectionSpec::default(),
        slow_start: 0.0,
        probed: false,
        hedge: None,
    }
}

fn pool(endpoints: &[(&str, u32)], cap: Option<u32>) -> Arc<Pool> {
    Arc::new(Pool::build("app", spec(endpoints, cap), None, 1, 0.0).unwrap())
}

const THREE: [(&str, u32); 3] = [("127.0.0.1:1", 1), ("127.0.0.1:2", 1), ("127.0.0.1:3", 1)];

#[test]
fn an_endpoint_tried_is_not_picked_again() {
    let pool = pool(&THREE, None);
    let mut tried = Vec::new();
    for _ in 0..3 {
        let lease = pool.pick(&Ask::without_key(&tried), || 0).ok().unwrap();
        assert!(!tried.contains(&lease.endpoint().id));
        tried.push(Arc::clone(&lease.endpoint().id));
    }
    assert_eq!(pool.pick(&Ask::without_key(&tried), || 0).err(), Some(Unpicked::Tried));
}

#[test]
fn a_failing_endpoint_is_passed_over_while_another_serves() {
    let pool = pool(&THREE, None);
    for endpoint in &pool.endpoints[..2] {
        for _ in 0..3 {
            pool.failed(endpoint, 0, Cause::ConnectRefused, 0);
        }
    }
    for _ in 0..6 {
        assert_eq!(&*pool.pick(&Ask::default(), || 10).ok().unwrap().endpoint().id, "127.0.0.1:3");
    }
    let tried = [Arc::clone(&pool.endpoints[2].id)];
    assert_eq!(pool.pick(&Ask::without_key(&tried), || 10).err(), Some(Unpicked::Tried), "nobody else is known to serve");
    let later = PAUSE.as_millis() as u64;
    let ids: std::collections::HashSet<_> =
        (0..3).map(|_| Arc::clone(&pool.pick(&Ask::default(), || later).ok().unwrap().endpoint().id)).collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_pick_reads_the_clock_once_at_most() {
    let mut spec = spec(&THREE, None);
    spec.policy = serde_json::from_str(r#"{"kind":"score","order":"least","expression":"age","choices":null,"ties":"random"}"#).unwrap();
    let pool = Arc::new(Pool::build("app", spec, None, 1, 0.0).unwrap());
    for endpoint in &pool.endpoints {
        for _ in 0..3 {
            pool.failed(endpoint, 0, Cause::ConnectRefused, 0);
        }
    }
    let reads = std::cell::Cell::new(0);
    let now = || {
        reads.set(reads.get() + 1);
        500
    };
    assert!(pool.pick(&Ask::default(), now).is_ok());
    assert_eq!(reads.get(), 1);
}

#[test]
fn who_is_full_is_told_from_who_was_tried_in_large_pools_too() {
    let names: Vec<String> = (1..=200).map(|port| format!("127.0.0.1:{port}")).collect();
    let endpoints: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let pool = pool(&endpoints, Some(1));
    let held: Vec<_> = (0..199).map(|_| pool.pick(&Ask::default(), || 0).ok().unwrap()).collect();
    let free = pool.endpoints.iter().find(|endpoint| endpoint.state.inflight().load(Ordering::SeqCst) == 0).unwrap();
    let all_tried: Vec<_> = pool.endpoints.iter().map(|endpoint| Arc::clone(&endpoint.id)).collect();
    let waiting = pool.state.queue.join(10, false, &[]).unwrap();
    for tried in [std::slice::from_ref(&free.id), &all_tried] {
        let expected = if tried.len() == 1 { Unpicked::Full } else { Unpicked::Tried };
        assert_eq!(pool.pick(&Ask::without_key(tried), || 0).err(), Some(expected));
    }
    assert!(Arc::ptr_eq(pool.pick(&Ask::default(), || 0).ok().unwrap().endpoint(), free), "though somebody waits");
    drop((waiting, held));
}

#[test]
fn a_lease_counts_while_it_is_held() {
    let pool = pool(&THREE[..1], Some(2));
    let first = pool.pick(&Ask::default(), || 0).ok().unwrap();
    let second = pool.pick(&Ask::default(), || 0).ok().unwrap();
    assert_eq!(pool.pick(&Ask::default(), || 0).err(), Some(Unpicked::Full));
    drop(first);
    assert!(pool.pick(&Ask::default(), || 0).is_ok());
    drop(second);
    assert_eq!(pool.endpoints[0].state.inflight().load(Ordering::SeqCst), 0);
}

#[test]
fn a_free_place_goes_to_the_first_who_waits() {
    let pool = pool(&THREE[..1], Some(1));
    let held = pool.pick(&Ask::default(), || 0).ok().unwrap();
    let first = pool.state.queue.join(10, false, &[]).unwrap();
    let second = pool.state.queue.join(10, false, &[]).unwrap();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(first.poll(&mut cx).is_pending());
    drop(held);
    assert_eq!(pool.pick(&Ask::default(), || 0).err(), Some(Unpicked::Full), "nobody overtakes");
    assert!(second.poll(&mut cx).is_pending());
    let std::task::Poll::Ready(Some(lease)) = first.poll(&mut cx) else { panic!("the first is called up") };
    drop(first);
    drop(lease);
    assert!(matches!(second.poll(&mut cx), std::task::Poll::Ready(Some(_))));
}

#[test]
fn who_waited_for_an_endpoint_has_picked_it_too() {
    let pool = pool(&THREE[..1], Some(1));
    let held = pool.pick(&Ask::default(), || 0).ok().unwrap();
    let waiting = pool.state.queue.join(10, false, &[]).unwrap();
    drop(held);
    let std::task::Poll::Ready(Some(lease)) = waiting.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) else {
        panic!("it is called up")
    };
    assert!(pool.adopt(lease, || 0).is_some());
    // By picks a second the pool knows how long requests stay, and so how fast it may learn.
    assert_eq!(pool.endpoints[0].state.slot.lane().picks(), 2);
}

#[test]
fn a_place_given_to_one_who_left_goes_on_to_the_next() {
    let pool = pool(&THREE[..1], Some(1));
    let held = pool.pick(&Ask::default(), || 0).ok().unwrap();
    let first = pool.state.queue.join(10, false, &[]).unwrap();
    let second = pool.state.queue.join(10, false, &[]).unwrap();
    drop(held);
    drop(first);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(matches!(second.poll(&mut cx), std::task::Poll::Ready(Some(_))));
    assert!(pool.state.queue.join(0, false, &[]).is_none(), "a full queue refuses");
}

#[test]
fn why_nothing_can_be_picked_is_told() {
    assert_eq!(pool(&[], None).pick(&Ask::default(), || 0).err(), Some(Unpicked::Empty));
    assert_eq!(pool(&[("127.0.0.1:1", 0)], None).pick(&Ask::default(), || 0).err(), Some(Unpicked::Empty));
    assert_eq!(pool(&[("a.example:1", 1)], None).pick(&Ask::default(), || 0).err(), Some(Unpicked::Unresolved));
}

#[test]
fn an_identity_keeps_its_counts_and_an_address_its_connections() {
    let old = pool(&THREE, None);
    let mut spec = spec(&THREE[1..], None);
    spec.endpoints[0].target = Some("127.0.0.1:9".into());
    let new = Pool::build("app", spec, Some(&old), 1, 0.0).unwrap();
    assert!(Arc::ptr_eq(&new.endpoints[0].state, &old.endpoints[1].state));
    assert!(!Arc::ptr_eq(&new.endpoints[0].idle, &old.endpoints[1].idle));
    assert!(Arc::ptr_eq(&new.endpoints[1].idle, &old.endpoints[2].idle));
}

#[test]
fn who_recovers_is_a_new_server_to_its_pool() {
    let pool = pool(&THREE, None);
    let state = &pool.endpoints[0].state;
    for _ in 0..3 {
        pool.failed(&pool.endpoints[0], 0, Cause::ConnectRefused, 1000);
    }
    pool.refresh(1.5);
    assert!(state.slot.get(Column::ErrorRate) > 0.9);
    let lease = std::iter::repeat_with(|| pool.pick(&Ask::default(), || 3000).ok().unwrap()).find(|lease| lease.index() == 0).unwrap();
    pool.answered(&lease, 0, 0.001, true, || 3000);
    pool.refresh(3.2);
    assert_eq!((state.slot.get(Column::ErrorRate), state.slot.get(Column::Since)), (0.0, 3.0));
}
