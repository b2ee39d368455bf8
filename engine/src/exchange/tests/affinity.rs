//! Clients stay with the endpoint that served them first, as long as it serves.

use std::sync::Arc;

use crate::pool::Pool;
use crate::server::shared::Shared;
use crate::snapshot::{AffinitySpec, Secret, SnapshotSpec};
use crate::testing::world::{app, attempts};
use crate::testing::{Peer, World, run, secs, settle};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const TTL: u64 = 3600;

fn pinning(spec: &mut SnapshotSpec) {
    let secret = Secret::from(&b"a secret of 24 bytes 123"[..]);
    app(spec).affinity = Some(AffinitySpec { cookie: "fb".to_owned(), ttl: secs(TTL), secret });
}

fn get(token: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: mine=1; fb={token}\r\n\r\n")
}

/// The token that a response sets.
fn token(head: &str) -> Option<String> {
    let line = head.lines().find_map(|line| line.strip_prefix("Set-Cookie: fb="))?;
    Some(line.split_once(';')?.0.to_owned())
}

/// A token for the endpoint of this index that was made so many seconds ago.
fn made(pool: &Arc<Pool>, index: usize, ago: u64) -> String {
    let mut spec = crate::testing::world::spec();
    pinning(&mut spec);
    let affinity = app(&mut spec).affinity.clone().unwrap();
    let ids = pool.endpoints.iter().map(|endpoint| &*endpoint.id);
    crate::balance::affinity::Affinity::new(&affinity, &pool.name, ids).unwrap().token(index, Shared::wall() - ago).unwrap()
}

/// Asks, has whoever is asked answer, and returns the response's head.
async fn served(world: &mut World, request: impl AsRef<[u8]>, response: &str) -> String {
    let mut client = world.asks(request).await;
    let mut server = world.accept().await;
    server.head().await;
    server.send(response).await;
    client.message().await.head
}

/// Who served each request.
async fn servers(world: World) -> String {
    let records = world.end().await;
    records.iter().map(attempts).collect::<Vec<_>>().join(" | ")
}

const CLOSE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

#[test]
fn a_client_that_brings_its_cookie_is_served_by_the_same_endpoint_and_sets_nothing_new() {
    run(async {
        let mut world = World::new(pinning);
        let first = served(&mut world, get(""), CLOSE).await;
        let token = token(&first).unwrap();
        assert!(first.contains(&format!("Set-Cookie: fb={token}; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax\r\n")), "{first}");
        for _ in 0..3 {
            let next = served(&mut world, get(&token), CLOSE).await;
            assert!(!next.contains("Set-Cookie"), "{next}");
        }
        assert_eq!(servers(world).await, "a:ok | a:ok | a:ok | a:ok");
    });
}

#[test]
fn clients_without_a_cookie_go_where_the_policy_says() {
    run(async {
        let mut world = World::new(pinning);
        for _ in 0..3 {
            assert!(token(&served(&mut world, get(""), CLOSE).await).is_some());
        }
        assert_eq!(servers(world).await, "a:ok | b:ok | c:ok");
    });
}

#[test]
fn a_client_whose_endpoint_fails_is_pinned_to_another_by_the_same_response() {
    run(async {
        let mut world = World::new(pinning);
        let lost = made(&world.pool(), 2, 0);
        world.refuses("c");
        let next = token(&served(&mut world, get(&lost), CLOSE).await).unwrap();
        assert_ne!(next, lost);
        assert_eq!(token(&served(&mut world, get(&next), CLOSE).await), None);
        assert_eq!(servers(world).await, "c:connect_refused a:ok | a:ok");
    });
}

#[test]
fn a_client_whose_endpoint_is_passed_over_or_gone_is_pinned_to_another() {
    run(async {
        let mut world = World::new(pinning);
        let lost = made(&world.pool(), 2, 0);
        for _ in 0..3 {
            let pool = world.pool();
            pool.failed(&pool.endpoints[2], 0, crate::record::Cause::ConnectRefused, world.thread.shared().now());
        }
        assert!(token(&served(&mut world, get(&lost), CLOSE).await).is_some());
        tokio::time::sleep(secs(3)).await;
        assert_eq!(token(&served(&mut world, get(&lost), CLOSE).await), None, "it serves again");
        world.change(|spec| app(spec).endpoints.truncate(2));
        assert!(token(&served(&mut world, get(&lost), CLOSE).await).is_some());
        assert_eq!(servers(world).await, "a:ok | c:ok | b:ok");
    });
}

#[test]
fn at_its_cap_an_endpoint_is_stood_in_for_without_losing_its_clients() {
    run(async {
        let mut world = World::new(|spec| {
            pinning(spec);
            app(spec).max_inflight = Some(1);
        });
        let token_of_b = made(&world.pool(), 1, 0);
        let mut first = world.asks(get(&token_of_b)).await;
        let mut busy = world.accept().await;
        busy.head().await;
        let stood_in = served(&mut world, get(&token_of_b), CLOSE).await;
        assert!(!stood_in.contains("Set-Cookie"), "{stood_in}");
        busy.send(CLOSE).await;
        first.message().await;
        assert_eq!(token(&served(&mut world, get(&token_of_b), CLOSE).await), None);
        assert_eq!(servers(world).await, "a:ok | b:ok | b:ok");
    });
}

#[test]
fn a_client_that_waited_for_a_place_is_pinned_where_it_was_served() {
    run(async {
        let mut world = World::new(|spec| {
            pinning(spec);
            app(spec).max_inflight = Some(1);
            app(spec).endpoints.truncate(1);
        });
        let mut first = world.asks(get("")).await;
        let mut server = world.accept().await;
        server.head().await;
        let mut second = world.asks(get("")).await;
        settle().await;
        server.send(OK).await;
        assert!(token(&first.message().await.head).is_some());
        server.head().await;
        server.send(OK).await;
        assert!(token(&second.message().await.head).is_some());
        drop((first, second));
        assert_eq!(servers(world).await, "a:ok | a:ok");
    });
}

#[test]
fn an_endpoint_without_weight_keeps_its_clients_until_their_tokens_run_out() {
    run(async {
        let mut world = World::new(|spec| {
            pinning(spec);
            app(spec).endpoints[1].weight = 0;
        });
        let pool = world.pool();
        for ago in [0, TTL - 2] {
            assert_eq!(token(&served(&mut world, get(&made(&pool, 1, ago)), CLOSE).await), None);
        }
        assert!(token(&served(&mut world, get(&made(&pool, 1, TTL)), CLOSE).await).is_some(), "expired");
        assert!(token(&served(&mut world, get(""), CLOSE).await).is_some());
        assert_eq!(servers(world).await, "b:ok | b:ok | a:ok | c:ok");
    });
}

#[test]
fn a_token_in_the_second_half_of_its_life_is_renewed_for_the_same_endpoint() {
    run(async {
        let mut world = World::new(pinning);
        let pool = world.pool();
        let old = made(&pool, 1, TTL / 2 + 10);
        let renewed = token(&served(&mut world, get(&old), CLOSE).await).unwrap();
        assert_ne!(renewed, old);
        assert_eq!(token(&served(&mut world, get(&renewed), CLOSE).await), None);
        assert_eq!(token(&served(&mut world, get(&made(&pool, 1, TTL / 2 - 10)), CLOSE).await), None);
        assert_eq!(servers(world).await, "b:ok | b:ok | b:ok");
    });
}

#[test]
fn forged_and_foreign_tokens_pin_to_nobody() {
    run(async {
        let mut world = World::new(pinning);
        let mut forged = made(&world.pool(), 1, 0);
        let last = if forged.pop() == Some('A') { 'E' } else { 'A' };
        forged.push(last);
        for cookie in [forged.as_str(), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &"A".repeat(4000), "\u{e9}", "b"] {
            assert!(token(&served(&mut world, get(cookie), CLOSE).await).is_some(), "{cookie}");
        }
        assert_eq!(servers(world).await, "a:ok | b:ok | c:ok | a:ok | b:ok");
    });
}

#[test]
fn the_servers_own_cookies_pass_and_the_server_sees_the_token() {
    run(async {
        let mut world = World::new(pinning);
        let mut client = world.asks(get("x")).await;
        let mut server: Peer = world.accept().await;
        assert!(server.head().await.contains("Cookie: mine=1; fb=x\r\n"));
        server.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").await;
        let interim = client.head().await;
        assert!(interim.starts_with("HTTP/1.1 103") && !interim.contains("Set-Cookie"), "{interim}");
        server.send("HTTP/1.1 204 No Content\r\nSet-Cookie: fb=theirs\r\nset-cookie: b=2; Path=/x\r\n\r\n").await;
        let head = client.head().await;
        assert!(head.contains("Set-Cookie: fb=theirs\r\n") && head.contains("set-cookie: b=2; Path=/x\r\n"), "{head}");
        assert_eq!(head.to_ascii_lowercase().matches("set-cookie: ").count(), 3);
        drop(client);
        world.end().await;
    });
}

#[test]
fn a_switch_of_protocols_and_an_answer_of_the_gateways_own_set_no_cookie() {
    run(async {
        let mut world = World::new(|spec| {
            pinning(spec);
            app(spec).endpoints.truncate(1);
        });
        let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        let mut client = world.asks(request).await;
        let mut server = world.accept().await;
        server.head().await;
        server.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
        assert!(!client.head().await.contains("Set-Cookie"));
        drop((client, server));
        settle().await;
        world.refuses("a");
        let mut client = world.asks(get("")).await;
        let message = client.message().await;
        assert_eq!(message.status(), 502);
        assert!(!message.head.contains("Set-Cookie"));
        drop(client);
        world.end().await;
    });
}

#[test]
fn the_cookie_is_secure_where_a_trusted_proxy_says_the_client_came_by_https() {
    run(async {
        for (trusted, proto, secure) in [(true, "https", true), (true, "HTTPS, http", true), (true, "http", false), (false, "https", false)]
        {
            let mut world = World::new(|spec| {
                pinning(spec);
                spec.trusted_proxies = if trusted { vec!["127.0.0.0/8".to_owned()] } else { Vec::new() };
            });
            let head = served(&mut world, format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: {proto}\r\n\r\n"), CLOSE).await;
            assert_eq!(head.contains("; SameSite=Lax; Secure\r\n"), secure, "{trusted} {proto}: {head}");
            world.end().await;
        }
    });
}
