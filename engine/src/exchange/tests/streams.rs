//! What lives: slow streams, quiet tunnels, trickling bodies.

use crate::record::Cause;
use crate::testing::world::{Manner, USUAL};
use crate::testing::{World, pass, run, secs};

#[test]
fn a_stream_with_an_event_each_20_seconds_lives_for_an_hour() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks("GET /events HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut server = world.accept().await;
        server.head().await;
        server.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        client.head().await;
        for _ in 0..180 {
            pass(secs(20)).await;
            server.send("8\r\ndata: 1\n\r\n").await;
            assert_eq!(client.until("\n\r\n").await, "8\r\ndata: 1\n\r\n", "each event is passed on at once");
        }
        server.send("0\r\n\r\n").await;
        client.until("0\r\n\r\n").await;
        drop(client);
        let record = world.ends_with(200, None).await;
        assert!(record["duration"].as_f64().unwrap() >= 3600.0);
    });
}

#[test]
fn a_quiet_websocket_with_a_ping_each_20_seconds_lives_for_an_hour() {
    run(async {
        let mut world = World::new(|spec| spec.limits.tunnel_timeout = secs(30));
        let mut client = world.asks("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
        let mut server = world.accept().await;
        server.head().await;
        server.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
        client.head().await;
        for turn in 0..180 {
            pass(secs(20)).await;
            // Either side's pings are enough.
            let (from, to) = if turn < 90 { (&mut server, &mut client) } else { (&mut client, &mut server) };
            from.send("ping").await;
            to.until("ping").await;
        }
        client.shut().await;
        server.ends_at_once().await;
        drop(server);
        client.ends_at_once().await;
        world.ends_with(101, None).await;
    });
}

#[test]
fn a_websocket_with_a_ping_each_20_seconds_lives_in_the_default_limits() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
        let mut server = world.accept().await;
        server.head().await;
        server.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
        client.head().await;
        for _ in 0..270 {
            pass(secs(20)).await;
            server.send("ping").await;
            client.until("ping").await;
        }
        drop(server);
        drop(client);
        world.ends_with(101, None).await;
    });
}

#[test]
fn a_request_body_that_trickles_lives() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n").await;
        let mut server = world.accept().await;
        client.trickle([b'x'; 30], secs(20)).await;
        assert_eq!(server.message().await.body.len(), 30);
        server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(client.message().await.status(), 204);
        drop(client);
        let record = world.ends_with(204, None).await;
        assert!(record["duration"].as_f64().unwrap() >= 600.0);
    });
}

#[test]
fn a_response_body_that_trickles_lives() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut server = world.accept().await;
        server.head().await;
        server.send("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n").await;
        server.trickle([b'x'; 30], secs(20)).await;
        assert_eq!(client.message().await.body.len(), 30);
        drop(client);
        world.ends_with(200, None).await;
    });
}

#[test]
fn framing_that_trickles_is_progress_too() {
    run(async {
        let content = "3;extension=1\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n";
        let mut world = World::new(|_| {});
        let mut client = world.asks("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let mut server = world.accept().await;
        client.trickle(content, secs(20)).await;
        assert_eq!(server.message().await.text(), "abc");
        server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        server.trickle(content, secs(20)).await;
        let answer = client.message().await;
        assert_eq!((answer.text(), &*answer.trailers), ("abc", "X-Sum: 1\r\n"));
        drop(client);
        world.ends_with(200, None).await;
    });
}

#[test]
fn a_client_that_reads_slowly_is_not_one_that_does_not_read() {
    run(async {
        let mut world = World::with(Manner { width: 256, ..USUAL }, |_| {});
        let mut client = world.asks("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut server = world.accept().await;
        server.head().await;
        server.send("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n").await;
        let sender = tokio::task::spawn_local(async move { server.try_send(vec![b'x'; 10_000]).await });
        let mut received = Vec::new();
        for _ in 0..100 {
            pass(secs(20)).await;
            received.extend(client.exactly(100).await);
        }
        let head = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        received.extend(client.exactly(head).await);
        assert_eq!(received[head..], [b'x'; 10_000]);
        assert!(sender.await.unwrap());
        drop(client);
        world.ends_with(200, None).await;
    });
}

#[test]
fn a_client_that_reads_the_gateways_own_answer_slowly_gets_all_of_it() {
    run(async {
        let world = World::with(Manner { width: 16, ..USUAL }, |spec| spec.routes.clear());
        let mut client = world.asks("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        for _ in 0..10 {
            pass(secs(20)).await;
            client.exactly(30).await;
        }
        client.until("\"}\n").await;
        drop(client);
        world.ends_with(404, Some(Cause::NoRoute)).await;
    });
}

#[test]
fn a_server_that_reads_slowly_is_not_one_that_does_not_read() {
    run(async {
        let mut world = World::with(Manner { width: 256, ..USUAL }, |_| {});
        let mut client = world.asks("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n").await;
        let mut server = world.accept().await;
        server.head().await;
        let sender = tokio::task::spawn_local(async move {
            client.send(vec![b'x'; 10_000]).await;
            client
        });
        for _ in 0..100 {
            pass(secs(20)).await;
            server.exactly(100).await;
        }
        server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        let mut client = sender.await.unwrap();
        assert_eq!(client.message().await.status(), 204);
        drop(client);
        world.ends_with(204, None).await;
    });
}
