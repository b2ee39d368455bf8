//! A client that leaves ends its exchange at once, in whatever phase that is, and its server hears of it.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use crate::record::Cause;
use crate::testing::world::{Manner, USUAL, app, attempts};
use crate::testing::{Dial, World, millis, pass, run, secs, settle};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
const PATIENT: Manner = Manner { half_close: true, ..USUAL };

#[test]
fn a_client_that_leaves_the_queue_gives_its_place_up() {
    run(async {
        for request in [GET, POST, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na"] {
            let mut world = World::new(|spec| {
                app(spec).endpoints.truncate(1);
                app(spec).max_inflight = Some(1);
            });
            let mut first = world.asks(GET).await;
            let mut server = world.accept().await;
            server.head().await;
            let second = world.asks(request).await;
            settle().await;
            assert_eq!(world.pool().state.queue.waiting(), 1);
            drop(second);
            settle().await;
            assert_eq!(world.pool().state.queue.waiting(), 0, "{request:?}");
            server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
            assert_eq!(first.message().await.status(), 204);
            world.nobody_else_is_asked().await;
            drop(first);
            let records = world.end().await;
            assert_eq!((&records[0]["status"], &records[0]["cause"]), (&499.into(), &"client_abort".into()));
            assert_eq!(attempts(&records[0]), "");
        }
    });
}

#[test]
fn a_client_that_leaves_while_connecting_stops_it() {
    run(async {
        for request in [GET, POST] {
            let mut world = World::new(|_| {});
            world.script("a", &[Dial::Hang]);
            let client = world.asks(request).await;
            settle().await;
            assert_eq!(world.transport.opening.get(), 1);
            drop(client);
            settle().await;
            assert_eq!(world.transport.opening.get(), 0);
            world.nobody_else_is_asked().await;
            let record = world.ends_with(499, Some(Cause::ClientAbort)).await;
            assert_eq!(attempts(&record), "a:client_abort");
        }
    });
}

#[test]
fn a_client_that_leaves_before_the_answer_cancels_the_server() {
    run(async {
        for request in [GET, POST] {
            let mut world = World::new(|_| {});
            let client = world.asks(request).await;
            let mut server = world.accept().await;
            server.message().await;
            drop(client);
            server.ends_at_once().await;
            world.nobody_else_is_asked().await;
            let failures = world.pool().endpoints[0].state.failures.load(std::sync::atomic::Ordering::SeqCst);
            assert_eq!(failures, 0, "that is not the server's failure");
            world.ends_with(499, Some(Cause::ClientAbort)).await;
        }
    });
}

#[test]
fn a_client_that_leaves_during_its_upload_cancels_the_server() {
    run(async {
        for framing in ["Content-Length: 9\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nabc"] {
            let mut world = World::new(|_| {});
            let client = world.asks(format!("PUT / HTTP/1.1\r\nHost: a\r\n{framing}")).await;
            let mut server = world.accept().await;
            server.until("abc").await;
            drop(client);
            // Neither the declared length nor a last chunk: the server sees that it is not complete.
            let now = Instant::now();
            let (rest, _) = server.broken().await;
            assert!(now.elapsed().is_zero());
            assert!(!String::from_utf8(rest).unwrap().contains("0\r\n\r\n"));
            world.nobody_else_is_asked().await;
            world.ends_with(499, Some(Cause::ClientAbort)).await;
        }
    });
}

#[test]
fn a_client_that_leaves_during_its_download_cancels_the_server() {
    run(async {
        for stuck in [false, true] {
            let mut world = World::with(Manner { width: 1000, ..USUAL }, |_| {});
            let mut client = world.asks(GET).await;
            let mut server = world.accept().await;
            server.head().await;
            server.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc").await;
            client.until("abc").await;
            if stuck {
                tokio::select! {
                    biased;
                    _ = server.try_send(vec![b'x'; 90_000]) => panic!("nobody reads that"),
                    () = settle() => {}
                }
            }
            drop(client);
            server.ends_at_once().await;
            world.ends_with(499, Some(Cause::ClientAbort)).await;
        }
    });
}

#[test]
fn a_client_that_leaves_while_its_server_answers_early_cancels_it() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc").await;
        let mut server = world.accept().await;
        server.until("abc").await;
        server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n").await;
        client.until("xyz\r\n").await;
        drop(client);
        server.ends_at_once().await;
        world.ends_with(499, Some(Cause::ClientAbort)).await;
    });
}

#[test]
fn a_client_that_shuts_its_sending_side_has_left_unless_half_close_says_otherwise() {
    run(async {
        for (manner, stays) in [(USUAL, false), (PATIENT, true)] {
            let mut world = World::with(manner, |_| {});
            let mut client = world.asks(POST).await;
            client.shut().await;
            let mut server = world.accept().await;
            server.message().await;
            if stays {
                assert!(server.is_quiet().await, "the exchange goes on");
                server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
                let head = client.head().await;
                assert!(head.contains("Connection: close\r\n"), "no other request can come: {head}");
                assert!(server.is_quiet().await);
                server.send("2\r\nok\r\n0\r\n\r\n").await;
                assert_eq!(client.until("0\r\n\r\n").await, "2\r\nok\r\n0\r\n\r\n");
                client.ends_at_once().await;
                drop(client);
                world.ends_with(200, None).await;
            } else {
                server.ends_at_once().await;
                client.broken().await;
                world.ends_with(499, Some(Cause::ClientAbort)).await;
            }
        }
    });
}

#[test]
fn half_close_keeps_a_client_in_the_queue_and_while_connecting() {
    run(async {
        let mut world = World::with(PATIENT, |spec| {
            app(spec).endpoints.truncate(1);
            app(spec).max_inflight = Some(1);
        });
        let mut first = world.asks(GET).await;
        let mut server = world.accept().await;
        server.head().await;
        let mut second = world.asks(POST).await;
        second.shut().await;
        settle().await;
        assert_eq!(world.pool().state.queue.waiting(), 1);
        server.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
        assert_eq!(first.message().await.status(), 204);
        world.script("a", &[Dial::After(std::time::Duration::from_millis(500))]);
        let mut server = world.accept().await;
        assert_eq!(server.message().await.text(), "abc");
        server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(second.message().await.status(), 204);
        drop((first, second));
        assert_eq!(world.end().await.len(), 2);
    });
}

#[test]
fn half_close_does_not_complete_a_request_that_is_not() {
    run(async {
        let mut world = World::with(PATIENT, |_| {});
        let mut client = world.asks("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc").await;
        let mut server = world.accept().await;
        server.until("abc").await;
        client.shut().await;
        server.ends_at_once().await;
        client.broken().await;
        world.ends_with(499, Some(Cause::ClientAbort)).await;
    });
}

#[test]
fn either_side_of_a_tunnel_may_shut_first_and_still_be_answered() {
    run(async {
        for client_first in [true, false] {
            let mut world = World::new(|_| {});
            let mut client = world.asks("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly").await;
            let mut server = world.accept().await;
            server.head().await;
            server.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst").await;
            client.head().await;
            client.until("first").await;
            server.until("early").await;
            let (one, other) = if client_first { (&mut client, &mut server) } else { (&mut server, &mut client) };
            one.send("bye").await;
            one.shut().await;
            assert_eq!(other.rest().await, b"bye");
            other.send("farewell").await;
            other.shut().await;
            assert_eq!(one.rest().await, b"farewell");
            drop(client);
            let record = world.ends_with(101, None).await;
            assert_eq!(record["bytes_in"].as_u64().unwrap() + record["bytes_out"].as_u64().unwrap(), 21);
        }
    });
}

#[test]
fn a_client_that_breaks_a_tunnel_off_ends_it_for_the_server() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
        let mut server = world.accept().await;
        server.head().await;
        server.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
        client.head().await;
        drop(client);
        server.ends_at_once().await;
        // What is still sent finds nobody.
        server.try_send("more").await;
        drop(server);
        world.ends_with(499, Some(Cause::ClientAbort)).await;
    });
}

#[test]
fn a_client_that_leaves_behind_content_that_its_server_does_not_read_is_noticed_within_a_second_or_two() {
    run(async {
        // A client that is allowed to shut its sending side early may still wait for its answer.
        for (manner, limit, status, cause) in [(USUAL, secs(2), 499, Cause::ClientAbort), (PATIENT, secs(31), 504, Cause::SendStalled)] {
            let mut world = World::with(Manner { width: 1000, ..manner }, |_| {});
            let mut client = world.client();
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n").await;
            let start = Instant::now();
            // The pipes are full then, and stay so.
            while tokio::time::timeout(millis(5), client.send(b"x")).await.is_ok() {}
            let server = world.accept().await;
            drop(client);
            while world.thread.shared().totals.running.load(Ordering::SeqCst) > 0 {
                pass(millis(10)).await;
            }
            assert!(start.elapsed() <= limit, "{:?}", start.elapsed());
            drop(server);
            world.ends_with(status, Some(cause)).await;
        }
    });
}
