//! Connections kept to an endpoint, which may be closed by the time they are used.

use std::sync::atomic::Ordering;

use crate::testing::world::{app, attempts};
use crate::testing::{Peer, World, run, settle};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
const PUT: &str = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A world with one endpoint and a kept connection to it, which the server closes as soon as the next request has come.
async fn with_a_kept_connection() -> (World, Peer) {
    let mut world = World::new(|spec| app(spec).endpoints.truncate(1));
    let mut client = world.asks(GET).await;
    let mut server = world.accept().await;
    server.head().await;
    server.send(OK).await;
    client.message().await;
    settle().await;
    assert_eq!(world.transport.idle("a"), 1);
    (world, server)
}

#[test]
fn a_stale_kept_connection_is_replaced_by_a_fresh_one_without_counting() {
    run(async {
        let (mut world, mut stale) = with_a_kept_connection().await;
        let mut client = world.asks(PUT).await;
        stale.message().await;
        drop(stale);
        let mut fresh = world.accept().await;
        assert_eq!(fresh.message().await.text(), "abc");
        fresh.send(OK).await;
        assert_eq!(client.message().await.text(), "ok");
        let pool = world.pool();
        assert_eq!(pool.state.retries.load(Ordering::SeqCst), 0);
        drop(client);
        let records = world.end().await;
        assert_eq!(attempts(&records[1]), "a:ok");
    });
}

#[test]
fn a_stale_kept_connection_is_replaced_once_only() {
    run(async {
        let (mut world, mut stale) = with_a_kept_connection().await;
        let mut client = world.asks(GET).await;
        stale.head().await;
        drop(stale);
        world.accept().await.head().await;
        assert_eq!(client.message().await.status(), 502);
        world.nobody_else_is_asked().await;
        drop(client);
        assert_eq!(attempts(&world.end().await[1]), "a:closed_before_response");
    });
}

#[test]
fn a_post_on_a_stale_kept_connection_is_not_sent_again() {
    run(async {
        for request in [POST, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"] {
            let (mut world, mut stale) = with_a_kept_connection().await;
            let mut client = world.asks(request).await;
            stale.message().await;
            drop(stale);
            assert_eq!(client.message().await.status(), 502);
            world.nobody_else_is_asked().await;
            drop(client);
            assert_eq!(attempts(&world.end().await[1]), "a:closed_before_response");
        }
    });
}

#[test]
fn a_kept_connection_closed_while_idle_is_not_used() {
    run(async {
        let (mut world, stale) = with_a_kept_connection().await;
        drop(stale);
        let mut client = world.asks(POST).await;
        let mut fresh = world.accept().await;
        fresh.message().await;
        fresh.send(OK).await;
        assert_eq!(client.message().await.text(), "ok");
        drop(client);
        assert_eq!(world.end().await.len(), 2);
    });
}
