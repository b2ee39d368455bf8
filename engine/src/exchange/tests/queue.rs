//! Waiting for an endpoint that is at its cap: first come, first served, never more than the cap, and nobody forgotten.

use std::sync::atomic::Ordering;

use proptest::prelude::*;

use crate::pool::Ask;
use crate::record::Cause;
use crate::snapshot::SnapshotSpec;
use crate::testing::world::{Manner, USUAL, app, attempts};
use crate::testing::{Dial, Peer, World, millis, pass, run, secs, settle};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const DONE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// One endpoint that takes one exchange at a time.
fn one_at_a_time(spec: &mut SnapshotSpec) {
    app(spec).endpoints.truncate(1);
    app(spec).max_inflight = Some(1);
}

fn get(path: &str) -> String {
    format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn waiting(world: &World) -> usize {
    world.pool().state.queue.waiting()
}

#[test]
fn who_came_first_is_served_first() {
    run(async {
        let mut world = World::new(one_at_a_time);
        let mut clients = Vec::new();
        for turn in 0..5 {
            clients.push(world.asks(get(&turn.to_string())).await);
            settle().await;
        }
        assert_eq!(waiting(&world), 4);
        let mut server = world.accept().await;
        for (turn, client) in clients.iter_mut().enumerate() {
            assert!(server.head().await.starts_with(&format!("GET /{turn} ")));
            assert!(server.is_quiet().await, "one at a time");
            server.send(DONE).await;
            assert_eq!(client.message().await.status(), 204);
        }
        drop(clients);
        assert_eq!(world.end().await.len(), 5);
    });
}

#[test]
fn a_newcomer_does_not_overtake_those_who_wait() {
    run(async {
        let mut world = World::new(one_at_a_time);
        let mut first = world.asks(get("1")).await;
        let mut server = world.accept().await;
        server.head().await;
        let mut second = world.asks(get("2")).await;
        settle().await;
        // The third's request is there before the first's end is seen.
        let mut third = world.client();
        settle().await;
        server.send(DONE).await;
        third.send(get("3")).await;
        assert_eq!(first.message().await.status(), 204);
        for (path, client) in [("2", &mut second), ("3", &mut third)] {
            assert!(server.head().await.starts_with(&format!("GET /{path} ")));
            server.send(DONE).await;
            assert_eq!(client.message().await.status(), 204);
        }
        drop((first, second, third));
        world.end().await;
    });
}

#[test]
fn a_full_queue_refuses() {
    run(async {
        let mut world = World::new(|spec| {
            one_at_a_time(spec);
            app(spec).queue.size = 1;
        });
        let mut first = world.asks(GET).await;
        let mut server = world.accept().await;
        server.head().await;
        let mut second = world.asks(GET).await;
        settle().await;
        let mut third = world.asks(GET).await;
        let answer = third.message().await;
        assert_eq!((answer.status(), answer.field("Retry-After")), (503, Some("1")));
        assert_eq!(world.pool().state.queue.full.load(Ordering::SeqCst), 1);
        for client in [&mut first, &mut second] {
            server.send(DONE).await;
            assert_eq!(client.message().await.status(), 204);
        }
        drop((first, second, third));
        let records = world.end().await;
        assert_eq!((&records[0]["status"], &records[0]["cause"]), (&503.into(), &"queue_full".into()));
    });
}

#[test]
fn a_place_is_passed_on_by_whoever_cannot_use_it() {
    run(async {
        let mut world = World::new(|spec| {
            app(spec).endpoints.truncate(2);
            app(spec).max_inflight = Some(1);
        });
        // Both are busy: a with the first, b with the second.
        let first = world.asks(get("1")).await;
        let mut a = world.accept().await;
        a.head().await;
        let mut second = world.asks(get("2")).await;
        let mut b = world.accept().await;
        b.head().await;
        // The third waits, is given a, loses its connection there, and waits for b, for a is tried.
        let mut third = world.asks(get("3")).await;
        settle().await;
        drop(first);
        let mut a = world.accept().await;
        assert!(a.head().await.starts_with("GET /3 "));
        let mut fourth = world.asks(get("4")).await;
        settle().await;
        drop(a);
        let mut a = world.accept().await;
        assert!(a.head().await.starts_with("GET /4 "), "the place at a goes to the fourth");
        settle().await;
        assert_eq!(waiting(&world), 1, "the third waits for b");
        a.send(DONE).await;
        assert_eq!(fourth.message().await.status(), 204);
        settle().await;
        b.send(DONE).await;
        assert_eq!(second.message().await.status(), 204);
        assert!(b.head().await.starts_with("GET /3 "));
        b.send(DONE).await;
        assert_eq!(third.message().await.status(), 204);
        drop((second, third, fourth));
        let records = world.end().await;
        assert_eq!(attempts(&records[3]), "a:closed_before_response b:ok");
    });
}

#[test]
fn a_place_that_came_too_late_goes_on_to_the_next() {
    run(async {
        let mut world = World::new(one_at_a_time);
        let mut first = world.asks(get("1")).await;
        let mut server = world.accept().await;
        server.head().await;
        let second = world.asks(get("2")).await;
        settle().await;
        let mut third = world.asks(get("3")).await;
        settle().await;
        server.send(DONE).await;
        drop(second);
        assert_eq!(first.message().await.status(), 204);
        // Called up and left in one moment: whether or not the second was sent, the third is served.
        settle().await;
        let mut server = world.accepted().unwrap_or(server);
        assert!(server.until("GET /3 ").await.ends_with("GET /3 "));
        server.head().await;
        server.send(DONE).await;
        assert_eq!(third.message().await.status(), 204);
        drop((first, third));
        world.end().await;
    });
}

#[test]
fn an_endpoint_whose_pause_ends_serves_those_who_wait_for_another() {
    run(async {
        let mut world = World::new(|spec| {
            app(spec).endpoints.truncate(2);
            app(spec).max_inflight = Some(1);
        });
        let endpoint = std::sync::Arc::clone(&world.pool().endpoints[0]);
        for _ in 0..3 {
            world.pool().failed(&endpoint, 0, Cause::ConnectRefused, world.thread.shared().now());
        }
        let mut first = world.asks(GET).await;
        let mut b = world.accept().await;
        assert_eq!(b.endpoint, "b");
        b.head().await;
        pass(millis(100)).await;
        let mut second = world.asks(GET).await;
        let start = tokio::time::Instant::now();
        let mut a = world.accept().await;
        assert_eq!(a.endpoint, "a");
        assert!(start.elapsed() >= millis(900) && start.elapsed() <= millis(2100), "{:?}", start.elapsed());
        for (server, client) in [(&mut a, &mut second), (&mut b, &mut first)] {
            server.send(DONE).await;
            assert_eq!(client.message().await.status(), 204);
        }
        drop((first, second));
        world.end().await;
    });
}

#[test]
fn those_who_wait_see_a_changed_pool() {
    run(async {
        let mut world = World::new(one_at_a_time);
        let mut first = world.asks(get("1")).await;
        let mut a = world.accept().await;
        a.head().await;
        let mut second = world.asks(get("2")).await;
        settle().await;
        world.change(|spec| {
            let more = crate::testing::world::spec().pools["app"].endpoints[1].clone();
            app(spec).endpoints.push(more);
        });
        let mut b = world.accept().await;
        assert_eq!(b.endpoint, "b");
        for (server, client) in [(&mut b, &mut second), (&mut a, &mut first)] {
            server.send(DONE).await;
            assert_eq!(client.message().await.status(), 204);
        }
        drop((first, second));
        world.end().await;
    });
}

#[test]
fn an_endpoint_that_was_removed_gets_none_of_those_who_wait() {
    run(async {
        let mut world = World::new(one_at_a_time);
        let mut first = world.asks(get("1")).await;
        let mut a = world.accept().await;
        a.head().await;
        let mut second = world.asks(get("2")).await;
        settle().await;
        // It is replaced by another that is busy until after it has ended what it still had.
        world.script("b", &[Dial::After(millis(900))]);
        world.change(|spec| app(spec).endpoints[0] = crate::testing::world::spec().pools["app"].endpoints[1].clone());
        let mut third = world.asks(get("3")).await;
        settle().await;
        a.send(DONE).await;
        assert_eq!(first.message().await.status(), 204);
        settle().await;
        assert!(a.is_quiet().await, "it is no longer in the pool");
        let mut b = world.accept().await;
        for (path, client) in [("2", &mut second), ("3", &mut third)] {
            assert!(b.head().await.starts_with(&format!("GET /{path} ")));
            b.send(DONE).await;
            assert_eq!(client.message().await.status(), 204);
        }
        drop((first, second, third));
        world.end().await;
    });
}

#[test]
fn a_lowered_cap_holds_for_those_who_wait() {
    run(async {
        let mut world = World::new(|spec| {
            one_at_a_time(spec);
            app(spec).max_inflight = Some(2);
        });
        let mut clients = Vec::new();
        for turn in 0..6 {
            clients.push(world.asks(get(&turn.to_string())).await);
            settle().await;
        }
        let mut servers = vec![world.accept().await, world.accept().await];
        world.change(|spec| app(spec).max_inflight = Some(1));
        let endpoint = std::sync::Arc::clone(&world.pool().endpoints[0]);
        for server in &mut servers {
            server.head().await;
            server.send(DONE).await;
            settle().await;
        }
        assert_eq!(endpoint.state.inflight().load(Ordering::SeqCst), 1, "the old cap is not handed on");
        assert_eq!(waiting(&world), 3);
        drop(clients);
        settle().await;
        drop(servers);
        world.end().await;
    });
}

#[test]
fn nobody_is_left_waiting_beside_a_place_that_became_free_meanwhile() {
    let pool = run(async { World::new(one_at_a_time).pool() });
    let queue = &pool.state.queue;
    let turns = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..5000 {
                let lease = pool.pick(&Ask::default(), || 0).ok().unwrap();
                turns.wait();
                drop(lease);
                turns.wait();
                turns.wait();
            }
        });
        for turn in 0..5000 {
            turns.wait();
            let place = queue.join(1, false, &[]).unwrap();
            let picked = pool.pick(&Ask::default(), || 0);
            turns.wait();
            let called = place.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
            assert!(picked.is_ok() || matches!(called, std::task::Poll::Ready(Some(_))), "nobody told it of the place, in turn {turn}");
            drop((place, picked, called));
            turns.wait();
        }
    });
}

/// What happens next in a random story.
#[derive(Debug, Clone, Copy)]
enum Step {
    Arrive,
    Leave(usize),
    Answer(usize),
    Break(usize),
    Pass,
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Arrive),
        2 => (0..64_usize).prop_map(Step::Leave),
        3 => (0..64_usize).prop_map(Step::Answer),
        1 => (0..64_usize).prop_map(Step::Break),
        1 => Just(Step::Pass),
    ]
}

async fn story(cap: u32, size: u32, endpoints: usize, steps: Vec<Step>) {
    let mut world = World::with(Manner { logs: false, ..USUAL }, |spec| {
        app(spec).endpoints.truncate(endpoints);
        app(spec).max_inflight = Some(cap);
        app(spec).queue.size = size;
        app(spec).queue.timeout = secs(3);
    });
    let (mut clients, mut servers): (Vec<Peer>, Vec<Peer>) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            Step::Arrive => clients.push(world.asks(GET).await),
            Step::Leave(at) if !clients.is_empty() => drop(clients.swap_remove(at % clients.len())),
            Step::Answer(at) if !servers.is_empty() => {
                let at = at % servers.len();
                servers[at].try_send(DONE).await;
            }
            Step::Break(at) if !servers.is_empty() => drop(servers.swap_remove(at % servers.len())),
            Step::Pass => pass(secs(1)).await,
            _ => {}
        }
        // At first only sometimes, so that several things happen in one moment.
        if matches!(step, Step::Pass | Step::Answer(_)) {
            settle().await;
        }
        while let Some(server) = world.accepted() {
            servers.push(server);
        }
        let pool = world.pool();
        for endpoint in &pool.endpoints {
            assert!(endpoint.state.inflight().load(Ordering::SeqCst) <= cap, "over its cap");
        }
        assert!(pool.state.queue.waiting() <= size as usize + 1);
    }
    drop(clients);
    settle().await;
    world.end().await;
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn no_cap_is_exceeded_and_every_place_is_given_back(
        cap in 1..4_u32,
        size in 0..5_u32,
        endpoints in 1..4_usize,
        steps in prop::collection::vec(a_step(), 1..60),
    ) {
        run(story(cap, size, endpoints, steps));
    }
}
