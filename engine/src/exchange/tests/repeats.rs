//! Answers that are repeated, what repeating may cost, and what the record says of it.

use std::sync::atomic::Ordering;

use serde_json::Value;

use crate::record::Cause;
use crate::snapshot::AttemptTimeoutSpec;
use crate::testing::world::{app, attempts, first};
use crate::testing::{Dial, Peer, World, millis, pass, run, settle, took};
use tokio::time::Instant;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
const KEYED: &str = "POST / HTTP/1.1\r\nHost: a\r\nIdempotency-Key: 7\r\nContent-Length: 3\r\n\r\nabc";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn busy(word: &str) -> String {
    format!("HTTP/1.1 503 Service Unavailable\r\nContent-Length: {}\r\n\r\n{word}", word.len())
}

async fn answers(world: &mut World, answer: &str) -> Peer {
    let mut server = world.accept().await;
    server.message().await;
    server.send(answer).await;
    server
}

fn word(record: &Value) -> &str {
    record["not_repeated"].as_str().unwrap_or("")
}

#[test]
fn an_answer_with_a_status_of_retry_statuses_is_asked_for_again() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks(GET).await;
        let first = answers(&mut world, &busy("full")).await;
        let second = answers(&mut world, OK).await;
        assert_eq!(client.message().await.text(), "ok");
        settle().await;
        assert_eq!((world.transport.idle("a"), world.transport.idle("b")), (1, 1), "what was all here is drained, and its connection kept");
        drop((client, first, second));
        let record = world.ends_with(200, None).await;
        assert_eq!((attempts(&record).as_str(), word(&record)), ("a:discarded b:ok", ""));
        assert_eq!((&record["attempts"][0]["status"], &record["attempts"][1]["why"]), (&503.into(), &"repeat".into()));
    });
}

#[test]
fn the_connection_of_a_discarded_answer_that_is_not_complete_is_closed() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks(GET).await;
        let mut first = answers(&mut world, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\nfu").await;
        let second = answers(&mut world, OK).await;
        assert_eq!(client.message().await.text(), "ok");
        first.ends_at_once().await;
        drop((client, second));
        world.ends_with(200, None).await;
    });
}

#[test]
fn the_last_such_answer_is_passed_on_when_nothing_better_comes() {
    run(async {
        for refused in [false, true] {
            let mut world = World::new(|_| {});
            if refused {
                world.refuses("c");
            }
            let mut client = world.asks(GET).await;
            let servers = (answers(&mut world, &busy("one")).await, answers(&mut world, &busy("two")).await);
            let third = if refused { None } else { Some(answers(&mut world, &busy("three")).await) };
            let answer = client.message().await;
            assert_eq!((answer.status(), answer.text()), (503, if refused { "two" } else { "three" }));
            let answered: u64 = world.pool().endpoints.iter().map(|each| each.state.responses.snapshot().server_error).sum();
            assert_eq!(answered, if refused { 2 } else { 3 }, "each answer counts once, also one that was set aside before");
            drop((client, servers, third));
            let record = world.ends_with(503, None).await;
            let expected = if refused { "a:discarded c:connect_refused b:ok" } else { "a:discarded b:discarded c:ok" };
            assert_eq!((attempts(&record).as_str(), word(&record)), (expected, "attempts"));
        }
    });
}

#[test]
fn a_post_is_not_repeated_for_its_status_unless_the_route_takes_its_key() {
    run(async {
        for (request, key, again) in [(POST, true, false), (KEYED, false, false), (KEYED, true, true)] {
            let mut world = World::new(|spec| first(spec).idempotency_key = key);
            let mut client = world.asks(request).await;
            let first = answers(&mut world, &busy("full")).await;
            let second = if again { Some(answers(&mut world, OK).await) } else { None };
            assert_eq!(client.message().await.status(), if again { 200 } else { 503 });
            world.nobody_else_is_asked().await;
            drop((client, first, second));
            let records = world.end().await;
            assert_eq!(word(&records[0]), if again { "" } else { "not_idempotent" });
        }
    });
}

#[test]
fn a_post_is_repeated_where_nothing_of_the_content_it_announces_was_sent() {
    run(async {
        for (sent, again) in [("", true), ("a", false)] {
            let mut world = World::new(|_| {});
            let mut client = world.asks(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{sent}")).await;
            let mut first = world.accept().await;
            first.head().await;
            first.exactly(sent.len()).await;
            drop(first);
            if again {
                let mut second = world.accept().await;
                client.send("abc").await;
                assert_eq!(second.message().await.text(), "abc");
                second.send(OK).await;
                assert_eq!(client.message().await.text(), "ok");
            } else {
                assert_eq!(client.message().await.status(), 502);
            }
            world.nobody_else_is_asked().await;
            drop(client);
            assert_eq!(word(&world.end().await[0]), if again { "" } else { "not_idempotent" });
        }
    });
}

#[test]
fn with_all_servers_failing_attempts_stay_within_a_fifth_and_the_bucket() {
    run(async {
        let mut world = World::new(|_| {});
        for endpoint in ["a", "b", "c"] {
            world.script(endpoint, &vec![Dial::Fail(Cause::ConnectRefused, millis(0)); 4000]);
        }
        let start = Instant::now();
        for _ in 0..2000 {
            let mut client = world.asks(GET).await;
            assert_eq!(client.message().await.status(), 502);
            pass(millis(2)).await;
        }
        let seconds = start.elapsed().as_secs_f64();
        world.nobody_else_is_asked().await;
        let state = std::sync::Arc::clone(&world.pool().state);
        let attempts = state.attempts.load(Ordering::SeqCst) as f64;
        assert!(attempts <= 1.2 * 2000.0 + 100.0 + 3.0 * seconds + 1.0, "{attempts}");
        assert!(attempts >= 1.2 * 2000.0 + 90.0, "{attempts}");
        let records = world.end().await;
        let refused = records.iter().filter(|record| word(record) == "budget").count() as u64;
        assert_eq!(refused, state.effort.retries.refused.load(Ordering::SeqCst));
        assert!(refused > 1000);
    });
}

#[test]
fn the_record_says_why_a_request_was_not_repeated() {
    run(async {
        for (most, part, expected) in [(1, "", "attempts"), (3, "HTTP/1.1 200 OK\r\n", "response_begun")] {
            let mut world = World::new(|spec| app(spec).retry.attempts = most);
            let mut client = world.asks(GET).await;
            drop(answers(&mut world, part).await);
            assert_eq!(client.message().await.status(), 502);
            drop(client);
            assert_eq!(word(&world.end().await[0]), expected);
        }
        let world = World::new(|spec| app(spec).endpoints.truncate(1));
        world.refuses("a");
        let mut client = world.asks(GET).await;
        assert_eq!(client.message().await.status(), 502);
        drop(client);
        assert_eq!(word(&world.end().await[0]), "no_endpoint");
    });
}

#[test]
fn an_attempt_timeout_ends_an_attempt_and_repeats_what_may_be() {
    run(async {
        for (request, again) in [(GET, true), (POST, false)] {
            let mut world = World::new(|spec| app(spec).retry.attempt_timeout = AttemptTimeoutSpec::After(millis(250)));
            let start = Instant::now();
            let mut client = world.asks(request).await;
            let mut first = world.accept().await;
            first.message().await;
            let (rest, _) = first.broken().await;
            assert_eq!(rest, b"");
            took(start, millis(250));
            if again {
                drop(answers(&mut world, OK).await);
                assert_eq!(client.message().await.text(), "ok");
            } else {
                let answer = client.message().await;
                assert_eq!((answer.status(), answer.text().contains("attempt_timeout")), (504, true));
            }
            world.nobody_else_is_asked().await;
            drop(client);
            let records = world.end().await;
            assert_eq!(attempts(&records[0]), if again { "a:attempt_timeout b:ok" } else { "a:attempt_timeout" });
        }
    });
}

#[test]
fn the_record_of_an_exchange_cut_at_shutdown_has_the_attempt_under_way() {
    run(async {
        let mut world = World::new(|_| {});
        world.refuses("a");
        let client = world.asks(GET).await;
        let mut server = world.accept().await;
        server.head().await;
        pass(millis(70)).await;
        world.cut().await;
        let record = world.ends_with(0, Some(Cause::Shutdown)).await;
        assert_eq!(attempts(&record), "a:connect_refused b:shutdown");
        assert!(record["attempts"][1]["ms"].as_f64().unwrap() >= 70.0);
        drop((client, server));
    });
}
