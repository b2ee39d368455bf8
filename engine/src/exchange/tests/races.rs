//! Attempts that take longer than is usual: raced, hedged, and the loser given up.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::record::Cause;
use crate::snapshot::{AttemptTimeoutSpec, HedgeSpec, SnapshotSpec};
use crate::testing::world::{app, attempts, first};
use crate::testing::{Peer, World, millis, pass, run, secs, settle};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const PUT: &str = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A limit on answers that take 20 ms as a rule: three times the bound above them, and the grain of timers.
const LIMIT: (Duration, Duration) = (millis(60), millis(100));

/// A world that has learned that answers take 20 ms.
fn learned(edit: impl FnOnce(&mut SnapshotSpec)) -> World {
    let world = World::new(edit);
    let (snapshot, pool) = (world.thread.snapshot(), world.pool());
    for now in 0..300 {
        snapshot.routes.routes()[0].learned.record(millis(20), now);
        pool.state.learned.record(millis(20), now);
    }
    world
}

async fn asked(world: &mut World) -> Peer {
    let mut server = world.accept().await;
    server.message().await;
    server
}

#[test]
fn past_the_learned_limit_a_second_attempt_is_begun_and_the_first_answer_wins() {
    run(async {
        for (request, quicker) in [(GET, 0), (GET, 1), (PUT, 0), (PUT, 1)] {
            let mut world = learned(|_| {});
            let start = Instant::now();
            let mut client = world.asks(request).await;
            let first = asked(&mut world).await;
            let second = asked(&mut world).await;
            assert!(start.elapsed() >= LIMIT.0 && start.elapsed() <= LIMIT.1, "{:?}", start.elapsed());
            pass(millis(30)).await;
            let mut servers = [first, second];
            servers[quicker].send(OK).await;
            assert_eq!(client.message().await.text(), "ok");
            servers[1 - quicker].ends_at_once().await;
            world.nobody_else_is_asked().await;
            let state = std::sync::Arc::clone(&world.pool().state);
            assert_eq!(state.effort.cancelled.load(Ordering::SeqCst), 1);
            assert_eq!(state.effort.retries.taken.load(Ordering::SeqCst), 1);
            drop(client);
            let record = world.ends_with(200, None).await;
            assert_eq!(attempts(&record), ["b:cancelled a:ok", "a:cancelled b:ok"][quicker]);
            assert_eq!(record["attempts"][quicker]["why"], "race");
            assert_eq!(record["bytes_in"], if request == PUT { 3 } else { 0 });
        }
    });
}

/// One server is asked, and nobody else, however long it takes.
async fn one_answers_after(long: Duration, request: &str, mut world: World) {
    let mut client = world.asks(request).await;
    let mut server = asked(&mut world).await;
    pass(long).await;
    world.nobody_else_is_asked().await;
    server.send(OK).await;
    assert_eq!(client.message().await.text(), "ok");
    drop((client, server));
    world.ends_with(200, None).await;
}

#[test]
fn what_may_not_be_repeated_or_is_too_large_is_not_raced_and_not_cut() {
    run(async {
        let large = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde";
        let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        for request in [POST, large, upgrade] {
            one_answers_after(secs(30), request, learned(|spec| app(spec).retry.replay_buffer = 4)).await;
        }
    });
}

#[test]
fn nothing_is_raced_where_it_is_off_or_unlearned_or_nobody_else_is_there() {
    run(async {
        let off = learned(|spec| app(spec).retry.attempt_timeout = AttemptTimeoutSpec::Off);
        for world in [off, World::new(|_| {}), learned(|spec| app(spec).endpoints.truncate(1))] {
            one_answers_after(secs(10), GET, world).await;
        }
    });
}

#[test]
fn work_that_takes_long_on_two_servers_is_not_given_to_a_third() {
    run(async {
        for alive in [true, false] {
            let mut world = learned(|_| {});
            let mut client = world.asks(GET).await;
            let first = asked(&mut world).await;
            let second = asked(&mut world).await;
            if alive {
                pass(millis(1)).await;
                world.pool().endpoints[1].state.evidence.hear(world.thread.shared().now());
            }
            pass(millis(200)).await;
            let third = world.accepted();
            assert_eq!(third.is_none(), alive, "only a silent second endpoint is a reason");
            pass(secs(20)).await;
            let mut servers = [first, second];
            servers[0].send(OK).await;
            assert_eq!(client.message().await.text(), "ok");
            drop((client, third));
            world.ends_with(200, None).await;
        }
    });
}

#[test]
fn an_attempt_that_fails_in_a_race_leaves_the_other_its_chance() {
    run(async {
        for (closes, late) in [(0, false), (1, false), (0, true), (1, true)] {
            let mut world = learned(|spec| app(spec).retry.attempts = 2);
            let mut client = world.asks(GET).await;
            let mut servers = vec![asked(&mut world).await, asked(&mut world).await];
            drop(servers.remove(closes));
            pass(if late { secs(20) } else { millis(1) }).await;
            servers[0].send(OK).await;
            assert_eq!(client.message().await.text(), "ok");
            drop((client, servers));
            let record = world.ends_with(200, None).await;
            let expected = ["a:closed_before_response b:ok", "b:closed_before_response a:ok"][closes];
            assert_eq!(attempts(&record), expected);
        }
    });
}

#[test]
fn a_race_that_all_lose_ends_with_the_last_cause_and_one_that_brings_only_refusals_with_the_last_of_them() {
    run(async {
        let mut world = learned(|spec| app(spec).retry.attempts = 2);
        let mut client = world.asks(GET).await;
        let servers = (asked(&mut world).await, asked(&mut world).await);
        drop(servers);
        assert_eq!(client.message().await.status(), 502);
        drop(client);
        world.ends_with(502, Some(Cause::ClosedBeforeResponse)).await;

        let mut world = learned(|spec| app(spec).retry.attempts = 2);
        let mut client = world.asks(GET).await;
        let (first, mut second) = (asked(&mut world).await, asked(&mut world).await);
        second.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await;
        pass(secs(1)).await;
        assert!(client.is_quiet().await, "the first may still answer better");
        drop(first);
        assert_eq!(client.message().await.status(), 503);
        drop((client, second));
        let record = world.ends_with(503, None).await;
        assert_eq!(attempts(&record), "a:closed_before_response b:ok");
    });
}

#[test]
fn an_interim_answer_in_a_race_does_not_pass() {
    run(async {
        let mut world = learned(|_| {});
        let mut client = world.asks(GET).await;
        let (mut first, mut second) = (asked(&mut world).await, asked(&mut world).await);
        second.send("HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n").await;
        first.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").await;
        settle().await;
        first.send(OK).await;
        assert!(client.head().await.starts_with("HTTP/1.1 200 "));
        drop((client, first, second));
        world.ends_with(200, None).await;
    });
}

#[test]
fn a_client_that_leaves_ends_all_attempts_of_a_race_at_once() {
    run(async {
        for late in [false, true] {
            let mut world = learned(|spec| app(spec).retry.attempts = 2);
            let client = world.asks(GET).await;
            let (mut first, mut second) = (asked(&mut world).await, asked(&mut world).await);
            if late {
                pass(secs(5)).await;
            }
            drop(client);
            first.ends_at_once().await;
            second.ends_at_once().await;
            let record = world.ends_with(499, Some(Cause::ClientAbort)).await;
            assert_eq!(attempts(&record), "b:client_abort a:cancelled");
        }
    });
}

#[test]
fn the_routes_limits_hold_in_a_race() {
    run(async {
        let mut world = learned(|spec| first(spec).timeout = Some(secs(2)));
        let start = Instant::now();
        let mut client = world.asks(GET).await;
        let servers = (asked(&mut world).await, asked(&mut world).await);
        assert_eq!(client.message().await.status(), 504);
        assert!(start.elapsed() >= secs(2) && start.elapsed() <= millis(2050));
        drop((client, servers));
        world.ends_with(504, Some(Cause::RequestTimeout)).await;

        let mut world = learned(|spec| {
            first(spec).first_byte_timeout = Some(secs(2));
            app(spec).retry.attempts = 2;
        });
        let mut client = world.asks(GET).await;
        let servers = (asked(&mut world).await, asked(&mut world).await);
        assert_eq!(client.message().await.status(), 504);
        assert!(start.elapsed() <= millis(4300));
        drop((client, servers));
        world.ends_with(504, Some(Cause::FirstByteTimeout)).await;
    });
}

#[test]
fn an_empty_bucket_lets_an_attempt_go_on_alone() {
    run(async {
        let mut world = learned(|spec| app(spec).retry.budget = 0.0);
        let pool = world.pool();
        let flow = crate::failover::budget::Flow { per_request: 0.0, per_second: 0.0, capacity: 100.0 };
        while pool.state.effort.retries.take(flow, 0, u64::MAX / 2) {}
        let mut client = world.asks(GET).await;
        let mut server = asked(&mut world).await;
        pass(secs(10)).await;
        world.nobody_else_is_asked().await;
        server.send("HTTP/1.1 103 Early Hints\r\n\r\n").await;
        assert!(client.head().await.starts_with("HTTP/1.1 103 "), "what is not raced passes interim answers on");
        server.send(OK).await;
        assert_eq!(client.message().await.text(), "ok");
        drop((client, server));
        world.ends_with(200, None).await;
    });
}

#[test]
fn a_pool_that_hedges_does_so_after_its_own_p95_within_its_own_budget() {
    run(async {
        for budget in [None, Some(0.02)] {
            let mut world = learned(|spec| app(spec).hedge = budget.map(|budget| HedgeSpec { budget }));
            let start = Instant::now();
            let mut client = world.asks(GET).await;
            let mut first = asked(&mut world).await;
            let mut second = asked(&mut world).await;
            let taken = world.pool().state.effort.hedges.taken.load(Ordering::SeqCst);
            assert_eq!(taken, u64::from(budget.is_some()));
            assert_eq!(start.elapsed() < LIMIT.0, budget.is_some(), "{:?}", start.elapsed());
            second.send(OK).await;
            client.message().await;
            first.ends_at_once().await;
            drop(client);
            let record = world.ends_with(200, None).await;
            assert_eq!(record["attempts"][1]["why"], if budget.is_some() { "hedge" } else { "race" });
        }
    });
}

/// A world in which these stand by for the others.
fn with_standby(standby: &[usize]) -> World {
    learned(|spec| {
        for place in standby {
            app(spec).endpoints[*place].tier = 1;
        }
    })
}

#[test]
fn who_stands_by_is_not_raced_while_those_who_serve_only_take_long() {
    run(async {
        for (standby, racers) in [(&[1, 2][..], 1), (&[2][..], 2)] {
            let mut world = with_standby(standby);
            let mut client = world.asks(GET).await;
            let mut servers = Vec::new();
            for _ in 0..racers {
                servers.push(asked(&mut world).await);
            }
            pass(secs(30)).await;
            world.nobody_else_is_asked().await;
            servers[0].send(OK).await;
            assert_eq!(client.message().await.text(), "ok");
            drop((client, servers));
            world.ends_with(200, None).await;
        }
    });
}

#[test]
fn who_stands_by_is_raced_against_the_last_that_serves_once_that_is_suspect() {
    run(async {
        let mut world = with_standby(&[1, 2]);
        let stand = serde_json::from_str(r#"{"status": "suspect"}"#).unwrap();
        world.pool().stand("a", &stand, 0, 0);
        let start = Instant::now();
        let mut client = world.asks(GET).await;
        let mut first = asked(&mut world).await;
        let mut second = asked(&mut world).await;
        assert!(start.elapsed() <= LIMIT.1, "{:?}", start.elapsed());
        second.send(OK).await;
        assert_eq!(client.message().await.text(), "ok");
        first.ends_at_once().await;
        drop((client, second));
        let record = world.ends_with(200, None).await;
        assert!(attempts(&record).starts_with("a:cancelled "), "{record}");
    });
}

#[test]
fn who_stands_by_is_raced_where_several_wait_for_a_silent_one_and_nobody_can_be_compared_with_it() {
    run(async {
        let mut world = with_standby(&[1, 2]);
        let mut clients = Vec::new();
        let mut silent = Vec::new();
        for _ in 0..3 {
            clients.push(world.asks(GET).await);
            silent.push(asked(&mut world).await);
        }
        pass(millis(500)).await;
        world.nobody_else_is_asked().await;
        pass(secs(2)).await;
        let mut answering = Vec::new();
        for _ in 0..3 {
            let mut server = asked(&mut world).await;
            server.send(OK).await;
            answering.push(server);
        }
        for client in &mut clients {
            assert_eq!(client.message().await.text(), "ok");
        }
        drop((clients, silent, answering));
        settle().await;
        assert_eq!(world.pool().state.effort.cancelled.load(Ordering::SeqCst), 3);
    });
}
