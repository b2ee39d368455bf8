//! Each wait ends at its named limit, with its status and cause, and not before.

use tokio::time::Instant;

use crate::record::Cause;
use crate::testing::world::{Manner, USUAL, app, attempts, first};
use crate::testing::{Dial, World, millis, pass, run, secs, took};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_head_that_does_not_end_is_refused_after_head_timeout() {
    run(async {
        let world = World::new(|_| {});
        let mut client = world.client();
        pass(secs(40)).await;
        let start = Instant::now();
        client.send("GET / HTTP/1.1\r\n").await;
        // Bytes that come meanwhile buy no time.
        pass(secs(9)).await;
        client.send("Host: a\r\n").await;
        let answer = client.message().await;
        took(start, secs(10));
        assert_eq!((answer.status(), answer.field("Connection")), (408, Some("close")));
        drop(client);
        world.ends_with(408, Some(Cause::HeadTimeout)).await;
    });
}

#[test]
fn a_request_body_that_stays_away_is_refused_after_body_timeout() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n").await;
        let start = Instant::now();
        let mut server = world.accept().await;
        server.head().await;
        let answer = client.message().await;
        took(start, secs(30));
        assert_eq!((answer.status(), answer.field("Connection")), (408, Some("close")));
        server.ends_at_once().await;
        drop(client);
        let record = world.ends_with(408, Some(Cause::BodyTimeout)).await;
        assert_eq!((&record["origin"], &record["phase"]), (&"client".into(), &"body".into()));
    });
}

#[test]
fn a_request_body_that_stops_halfway_is_refused_after_body_timeout() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n").await;
        let mut server = world.accept().await;
        server.head().await;
        pass(secs(20)).await;
        client.send("abc").await;
        let start = Instant::now();
        assert_eq!(client.message().await.status(), 408);
        assert!(start.elapsed() >= secs(30), "early: {:?}", start.elapsed());
        assert!(start.elapsed() <= secs(60), "late: {:?}", start.elapsed());
        drop(client);
        world.ends_with(408, Some(Cause::BodyTimeout)).await;
    });
}

#[test]
fn a_server_that_does_not_read_is_given_up_after_send_timeout() {
    run(async {
        let mut world = World::with(Manner { width: 1000, ..USUAL }, |_| {});
        let mut client = world.client();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n").await;
        let start = Instant::now();
        assert!(!client.try_send(vec![b'x'; 100_000]).await || !client.is_quiet().await);
        let answer = client.message().await;
        took(start, secs(30));
        assert_eq!((answer.status(), answer.field("Connection")), (504, Some("close")));
        let mut server = world.accept().await;
        server.broken().await;
        drop(client);
        world.ends_with(504, Some(Cause::SendStalled)).await;
    });
}

#[test]
fn a_server_without_an_answer_is_given_up_after_first_byte_timeout() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks(GET).await;
        let start = Instant::now();
        let mut server = world.accept().await;
        server.head().await;
        let answer = client.message().await;
        took(start, secs(60));
        assert_eq!(answer.status(), 504);
        server.ends_at_once().await;
        assert!(answer.field("Proxy-Status").unwrap().contains("first_byte_timeout"));
        drop(client);
        let record = world.ends_with(504, Some(Cause::FirstByteTimeout)).await;
        assert_eq!(attempts(&record), "a:first_byte_timeout", "an answer may be on its way: nothing is repeated");
    });
}

#[test]
fn first_byte_timeout_runs_from_the_end_of_the_request() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n").await;
        let mut server = world.accept().await;
        client.trickle("12345", secs(25)).await;
        let start = Instant::now();
        server.message().await;
        assert_eq!(client.message().await.status(), 504);
        took(start, secs(60));
        drop(client);
        world.ends_with(504, Some(Cause::FirstByteTimeout)).await;
    });
}

#[test]
fn an_answer_just_before_first_byte_timeout_is_in_time() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks(GET).await;
        let mut server = world.accept().await;
        server.head().await;
        pass(millis(59_999)).await;
        server.send(OK).await;
        assert_eq!(client.message().await.text(), "ok");
        drop(client);
        world.ends_with(200, None).await;
    });
}

#[test]
fn without_first_byte_timeout_an_answer_may_take_hours() {
    run(async {
        let mut world = World::new(|spec| first(spec).first_byte_timeout = None);
        let mut client = world.asks(GET).await;
        let mut server = world.accept().await;
        server.head().await;
        pass(secs(5 * 3600)).await;
        server.send(OK).await;
        assert_eq!(client.message().await.text(), "ok");
        drop(client);
        world.ends_with(200, None).await;
    });
}

#[test]
fn a_server_that_does_not_say_100_is_the_silent_one() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").await;
        let start = Instant::now();
        world.accept().await;
        let mut server = world.accept().await;
        server.head().await;
        assert_eq!(client.message().await.status(), 504);
        took(start, secs(60));
        drop(client);
        let record = world.ends_with(504, Some(Cause::FirstByteTimeout)).await;
        assert_eq!(attempts(&record), "a:closed_before_response b:first_byte_timeout");
    });
}

#[test]
fn a_client_that_was_told_to_continue_has_body_timeout_to_do_so() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").await;
        let mut server = world.accept().await;
        server.head().await;
        pass(secs(50)).await;
        server.send("HTTP/1.1 100 Continue\r\n\r\n").await;
        client.head().await;
        let start = Instant::now();
        assert_eq!(client.message().await.status(), 408);
        took(start, secs(30));
        drop(client);
        world.ends_with(408, Some(Cause::BodyTimeout)).await;
    });
}

#[test]
fn the_routes_timeout_spans_all_attempts() {
    run(async {
        let mut world = World::new(|spec| first(spec).timeout = Some(secs(2)));
        world.script("a", &[Dial::Fail(Cause::ConnectRefused, millis(600))]);
        world.script("b", &[Dial::Fail(Cause::ConnectRefused, millis(600))]);
        let mut client = world.asks(GET).await;
        let start = Instant::now();
        let mut server = world.accept().await;
        assert_eq!(client.message().await.status(), 504);
        took(start, secs(2));
        server.broken().await;
        drop(client);
        let record = world.ends_with(504, Some(Cause::RequestTimeout)).await;
        assert_eq!(attempts(&record), "a:connect_refused b:connect_refused c:request_timeout");
    });
}

#[test]
fn the_routes_timeout_ends_a_connecting_too() {
    run(async {
        let world = World::new(|spec| {
            first(spec).timeout = Some(secs(2));
            app(spec).connect_timeout = secs(10);
        });
        world.script("a", &[Dial::Hang]);
        let mut client = world.asks(GET).await;
        let start = Instant::now();
        assert_eq!(client.message().await.status(), 504);
        took(start, secs(2));
        drop(client);
        world.ends_with(504, Some(Cause::RequestTimeout)).await;
    });
}

#[test]
fn the_routes_timeout_ends_a_queueing_too() {
    run(async {
        let mut world = World::new(|spec| {
            first(spec).timeout = Some(secs(2));
            app(spec).endpoints.truncate(1);
            app(spec).max_inflight = Some(1);
        });
        let mut first = world.asks(GET).await;
        let mut server = world.accept().await;
        server.head().await;
        server.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").await;
        first.head().await;
        let mut second = world.asks(GET).await;
        let start = Instant::now();
        assert_eq!(second.message().await.status(), 504);
        took(start, secs(2));
        server.send("12345").await;
        assert_eq!(first.exactly(5).await, b"12345", "the timeout is one to the response head");
        drop((first, second));
        let records = world.end().await;
        assert_eq!(records[0]["cause"], "request_timeout");
        assert_eq!(records[1]["cause"], serde_json::Value::Null);
    });
}

#[test]
fn connecting_ends_at_connect_timeout_whatever_the_system_does() {
    run(async {
        let world = World::new(|spec| app(spec).endpoints.truncate(1));
        world.script("a", &[Dial::After(secs(3)), Dial::Hang]);
        let mut client = world.asks(GET).await;
        let start = Instant::now();
        assert_eq!(client.message().await.status(), 504);
        took(start, secs(1));
        client.send(GET).await;
        assert_eq!(client.message().await.status(), 504);
        drop(client);
        let records = world.end().await;
        assert!(records.iter().all(|record| record["cause"] == "connect_timeout"), "{records:?}");
    });
}

#[test]
fn total_timeout_before_the_head_is_told_and_afterwards_breaks_off() {
    run(async {
        for answered in [false, true] {
            let mut world = World::new(|spec| spec.limits.total_timeout = Some(secs(7)));
            let start = Instant::now();
            let mut client = world.asks(GET).await;
            let mut server = world.accept().await;
            server.head().await;
            if answered {
                server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
                for _ in 0..3 {
                    pass(secs(2)).await;
                    server.send("2\r\nhi\r\n").await;
                }
                let (content, _) = client.broken().await;
                assert!(content.ends_with(b"2\r\nhi\r\n"), "never ended cleanly");
            } else {
                assert_eq!(client.message().await.status(), 504);
            }
            took(start, secs(7));
            drop(client);
            world.ends_with(if answered { 200 } else { 504 }, Some(Cause::TotalTimeout)).await;
        }
    });
}

#[test]
fn a_response_that_stalls_is_broken_off_visibly_after_body_timeout() {
    run(async {
        for (version, head, resets) in [
            ("1.1", "Content-Length: 9\r\n", false),
            ("1.1", "Transfer-Encoding: chunked\r\n", false),
            ("1.1", "", false),
            ("1.0", "Content-Length: 9\r\n", false),
            ("1.0", "Transfer-Encoding: chunked\r\n", true),
        ] {
            let mut world = World::new(|_| {});
            let mut client = world.asks(format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n")).await;
            let mut server = world.accept().await;
            server.head().await;
            let content = if head.starts_with('T') { "3\r\nabc\r\n" } else { "abc" };
            server.send(format!("HTTP/1.1 200 OK\r\n{head}\r\n{content}")).await;
            let start = Instant::now();
            let (received, reset) = client.broken().await;
            took(start, secs(30));
            let received = String::from_utf8(received).unwrap();
            assert!(received.contains("abc") && !received.ends_with("0\r\n\r\n"), "{received:?}");
            assert_eq!(reset, resets, "{version} {head:?}: what has no length and no chunks is ended by a reset");
            server.ends_at_once().await;
            world.ends_with(200, Some(Cause::ResponseStalled)).await;
        }
    });
}

#[test]
fn a_client_that_does_not_read_is_cut_after_send_timeout() {
    run(async {
        let mut world = World::with(Manner { width: 1000, ..USUAL }, |_| {});
        let mut client = world.asks(GET).await;
        let mut server = world.accept().await;
        server.head().await;
        let start = Instant::now();
        server.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").await;
        assert!(!server.try_send(vec![b'x'; 1_000_000]).await, "the gateway gave up");
        took(start, secs(30));
        let (received, _) = client.broken().await;
        assert!(received.len() < 1_000_000);
        world.ends_with(200, Some(Cause::SendTimeout)).await;
    });
}

#[test]
fn a_client_that_does_not_read_the_gateways_own_answer_is_cut_after_send_timeout() {
    run(async {
        let world = World::with(Manner { width: 64, ..USUAL }, |spec| spec.routes.clear());
        let mut client = world.asks(GET).await;
        let start = Instant::now();
        while world.thread.shared().totals.running.load(std::sync::atomic::Ordering::SeqCst) == 1 || start.elapsed().is_zero() {
            pass(millis(10)).await;
        }
        took(start, secs(30));
        client.broken().await;
        world.ends_with(404, Some(Cause::NoRoute)).await;
    });
}

#[test]
fn a_place_in_the_queue_is_lost_after_its_timeout() {
    run(async {
        let mut world = World::new(|spec| {
            app(spec).endpoints.truncate(1);
            app(spec).max_inflight = Some(1);
        });
        let mut first = world.asks(GET).await;
        let mut server = world.accept().await;
        server.head().await;
        let mut second = world.asks(GET).await;
        let start = Instant::now();
        let answer = second.message().await;
        took(start, secs(5));
        assert_eq!((answer.status(), answer.field("Retry-After")), (503, Some("1")));
        server.send(OK).await;
        assert_eq!(first.message().await.text(), "ok");
        assert_eq!(world.pool().state.queue.timed_out.load(std::sync::atomic::Ordering::SeqCst), 1);
        drop((first, second));
        let records = world.end().await;
        assert_eq!((&records[0]["status"], &records[0]["cause"]), (&503.into(), &"queue_timeout".into()));
    });
}

#[test]
fn a_silent_tunnel_is_closed_after_tunnel_timeout() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
        let mut server = world.accept().await;
        server.head().await;
        server.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
        client.head().await;
        let start = Instant::now();
        client.broken().await;
        took(start, secs(3600));
        server.ends_at_once().await;
        world.ends_with(101, Some(Cause::TunnelTimeout)).await;
    });
}
