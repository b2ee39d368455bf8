//! Every exchange leaves one record and one count, however it ends.

use std::sync::Arc;

use std::sync::atomic::Ordering;

use serde_json::Value;

use crate::snapshot::{ActionSpec, RouteSpec};
use crate::testing::world::{Manner, USUAL, app, first};
use crate::testing::{Dial, World, run, secs, settle};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Sums of what is counted: exchanges that run, exchanges begun, responses of any class.
fn counts(world: &World) -> (usize, u64, u64) {
    let totals = &world.thread.shared().totals;
    let classes = totals.responses.snapshot();
    let responses = classes.informational + classes.success + classes.redirection + classes.client_error + classes.server_error;
    (totals.running.load(Ordering::SeqCst), totals.exchanges.load(Ordering::SeqCst), responses)
}

#[test]
fn an_exchange_that_is_cut_is_recorded_in_whatever_phase_it_was() {
    run(async {
        for phase in ["queue", "connect", "upload", "wait", "download", "tunnel"] {
            let mut world = World::new(|spec| {
                app(spec).endpoints.truncate(1);
                app(spec).max_inflight = Some(u32::from(phase != "queue"));
                app(spec).connect_timeout = secs(100);
            });
            if phase == "connect" {
                world.script("a", &[Dial::Hang]);
            }
            let mut client = world.client();
            client
                .send(match phase {
                    "upload" => "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na",
                    "tunnel" => "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                    _ => GET,
                })
                .await;
            settle().await;
            let mut server = None;
            if !matches!(phase, "queue" | "connect") {
                let mut peer = world.accept().await;
                peer.head().await;
                match phase {
                    "download" => peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await,
                    "tunnel" => peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await,
                    _ => {}
                }
                server = Some(peer);
            }
            settle().await;
            assert_eq!(counts(&world).0, 1, "{phase}: it runs");
            world.cut().await;
            assert_eq!(counts(&world).0, 0, "{phase}");
            drop((client, server));
            let records = world.end().await;
            assert_eq!((records.len(), &records[0]["cause"]), (1, &Value::from("shutdown")), "{phase}");
        }
    });
}

#[test]
fn an_exchange_of_each_kind_leaves_one_record_and_one_count() {
    run(async {
        let mut world = World::new(|spec| {
            let mut fixed = RouteSpec::clone(&spec.routes[0]);
            fixed.id = "fixed".to_owned();
            fixed.matches.path = vec!["/fixed".to_owned()];
            fixed.action = ActionSpec::Respond { status: 418, headers: Vec::new(), body: "tea".to_owned() };
            let mut elsewhere = fixed.clone();
            elsewhere.id = "elsewhere".to_owned();
            elsewhere.matches.path = vec!["/elsewhere".to_owned()];
            elsewhere.action = ActionSpec::Redirect { to: "/there".to_owned(), status: 308 };
            first(spec).matches.path = vec!["/".to_owned()];
            spec.routes.extend([fixed, elsewhere].map(Arc::new));
        });
        let mut client = world.client();
        for (path, status) in [("/fixed", 418), ("/elsewhere", 308), ("/nowhere", 404)] {
            client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
            assert_eq!(client.message().await.status(), status);
        }
        client.send(GET).await;
        let mut server = world.accept().await;
        server.head().await;
        server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(client.message().await.status(), 204);
        client.send("GET / HTTP/3.0\r\n\r\n").await;
        assert_eq!(client.message().await.status(), 505);
        drop(client);
        settle().await;
        assert_eq!(counts(&world), (0, 5, 5));
        let records = world.end().await;
        let seen: Vec<_> = records.iter().map(|record| (record["status"].as_u64().unwrap(), record["cause"].as_str())).collect();
        assert_eq!(seen, [(418, None), (308, None), (404, Some("no_route")), (204, None), (505, Some("unsupported_version"))]);
    });
}

#[test]
fn a_connection_without_a_request_leaves_no_record() {
    run(async {
        let world = World::new(|_| {});
        drop(world.client());
        drop(world.asks("GET / HT").await);
        settle().await;
        assert_eq!(counts(&world), (0, 0, 0));
        assert_eq!(world.end().await, Vec::<Value>::new());
    });
}

#[test]
fn a_record_counts_content_in_both_directions() {
    run(async {
        let mut world = World::with(Manner { width: 7, ..USUAL }, |_| {});
        let mut client = world.client();
        let conversation = async {
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n").await;
            client.message().await
        };
        let service = async {
            let mut server = world.accept().await;
            let request = server.message().await;
            server.send("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nwelcome").await;
            request
        };
        let (answer, request) = tokio::join!(conversation, service);
        assert_eq!((answer.text(), request.text()), ("welcome", "hello world"));
        drop(client);
        let record = world.ends_with(200, None).await;
        assert_eq!((&record["bytes_in"], &record["bytes_out"]), (&11.into(), &7.into()));
    });
}

#[test]
fn a_record_of_a_failure_counts_what_had_been_moved() {
    run(async {
        let mut world = World::new(|_| {});
        let client = world.asks("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc").await;
        let mut server = world.accept().await;
        server.until("abc").await;
        drop(client);
        server.broken().await;
        let record = world.ends_with(499, Some(crate::record::Cause::ClientAbort)).await;
        assert_eq!(record["bytes_in"], 3);
    });
}

#[test]
fn a_record_of_what_was_cut_counts_what_had_been_moved() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks(GET).await;
        let mut server = world.accept().await;
        server.head().await;
        server.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await;
        client.until("abc").await;
        world.cut().await;
        client.broken().await;
        let record = world.ends_with(200, Some(crate::record::Cause::Shutdown)).await;
        assert_eq!(record["bytes_out"], 3);
    });
}
