//! Interim responses pass; switching protocols needs two who want to.

use crate::record::Cause;
use crate::testing::world::app;
use crate::testing::{World, run, settle};

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_client_that_expects_100_waits_for_the_servers_word() {
    run(async {
        let mut world = World::new(|spec| app(spec).endpoints.truncate(1));
        let mut client = world.asks("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").await;
        let mut server = world.accept().await;
        assert!(server.head().await.contains("Expect: 100-continue\r\n"));
        assert!(client.is_quiet().await, "the gateway does not answer for the server");
        server.send("HTTP/1.1 100 Continue\r\n\r\n").await;
        assert_eq!(client.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
        client.send("abc").await;
        server.until("abc").await;
        server.send(OK).await;
        assert_eq!(client.message().await.text(), "ok");
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        server.head().await;
        server.send(OK).await;
        assert_eq!(client.message().await.text(), "ok");
        drop(client);
        assert_eq!(world.end().await.len(), 2);
    });
}

#[test]
fn a_server_that_refuses_before_the_content_ends_both_connections() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").await;
        let mut server = world.accept().await;
        server.head().await;
        server.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno").await;
        let answer = client.message().await;
        assert_eq!((answer.status(), answer.text(), answer.field("Connection")), (417, "no", Some("close")));
        server.ends_at_once().await;
        drop(client);
        world.ends_with(417, None).await;
    });
}

#[test]
fn interim_responses_pass_in_order_and_at_once() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut server = world.accept().await;
        server.head().await;
        for hint in ["</a>", "</b>"] {
            server.send(format!("HTTP/1.1 103 Early Hints\r\nLink: {hint}\r\nConnection: close\r\n\r\n")).await;
            assert_eq!(client.head().await, format!("HTTP/1.1 103 Early Hints\r\nLink: {hint}\r\n\r\n"));
        }
        server.send(format!("HTTP/1.1 102 Processing\r\n\r\n{OK}")).await;
        assert_eq!(client.head().await, "HTTP/1.1 102 Processing\r\n\r\n");
        assert_eq!(client.message().await.text(), "ok");
        drop(client);
        world.ends_with(200, None).await;
    });
}

#[test]
fn an_http_1_0_client_hears_of_the_final_response_alone() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks("GET / HTTP/1.0\r\n\r\n").await;
        let mut server = world.accept().await;
        server.head().await;
        server.send(format!("HTTP/1.1 103 Early Hints\r\n\r\n{OK}")).await;
        let answer = client.message().await;
        assert_eq!((answer.status(), answer.text()), (200, "ok"));
        drop(client);
        world.ends_with(200, None).await;
    });
}

#[test]
fn a_server_may_switch_only_to_what_was_asked_for() {
    run(async {
        for (asked, answer) in [
            ("", SWITCH),
            ("Upgrade: websocket\r\n", SWITCH),
            ("Connection: Upgrade\r\nUpgrade: h2c\r\n", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
            (
                "Connection: Upgrade\r\nUpgrade: websocket\r\n",
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
            ),
            ("Connection: Upgrade\r\nUpgrade: websocket\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        ] {
            let mut world = World::new(|_| {});
            let mut client = world.asks(format!("GET / HTTP/1.1\r\nHost: a\r\n{asked}\r\n")).await;
            let mut server = world.accept().await;
            let request = server.head().await;
            assert_eq!(request.contains("Upgrade:"), asked.starts_with('C') && !asked.contains("h2c"), "{request}");
            server.send(answer).await;
            assert_eq!(client.message().await.status(), 502);
            server.ends_at_once().await;
            world.nobody_else_is_asked().await;
            drop(client);
            world.ends_with(502, Some(Cause::UpgradeMalformed)).await;
        }
    });
}

#[test]
fn a_server_may_decline_to_switch() {
    run(async {
        let mut world = World::new(|spec| app(spec).endpoints.truncate(1));
        let mut client = world.asks("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
        let mut server = world.accept().await;
        server.head().await;
        server.send(OK).await;
        assert_eq!(client.message().await.text(), "ok");
        settle().await;
        assert_eq!(world.transport.idle("a"), 1, "both connections stay");
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        server.head().await;
        server.send(OK).await;
        assert_eq!(client.message().await.text(), "ok");
        drop(client);
        assert_eq!(world.end().await.len(), 2);
    });
}
