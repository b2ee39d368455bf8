//! What a client sees while endpoints go and come back.

use crate::record::Cause;
use crate::snapshot::{RespondSpec, WhenAllDownSpec};
use crate::testing::peer::Message;
use crate::testing::world::{app, attempts};
use crate::testing::{Peer, World, millis, run, secs, took};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const MARK: &str = "Forebay-All-Down";

/// Every endpoint refuses whatever comes next.
fn all_refuse(world: &World) {
    for endpoint in ["a", "b", "c"] {
        for _ in 0..20 {
            world.refuses(endpoint);
        }
    }
}

async fn asked(client: &mut Peer) -> Message {
    client.send(GET).await;
    client.message().await
}

/// One request that an endpoint serves by a connection of its own.
async fn served(world: &mut World, client: &mut Peer, answer: &str) -> Message {
    client.send(GET).await;
    let mut server = world.accept().await;
    server.message().await;
    server.send(answer).await;
    client.message().await
}

#[test]
fn while_all_are_down_a_pool_tries_them_all_says_so_and_serves_at_once_when_one_is_back() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.client();
        for endpoint in ["a", "b", "c"] {
            for _ in 0..2 {
                world.refuses(endpoint);
            }
        }
        for _ in 0..2 {
            let since = tokio::time::Instant::now();
            let message = asked(&mut client).await;
            assert_eq!((message.status(), message.field(MARK)), (502, Some("try_all")));
            took(since, millis(0));
        }
        let message = served(&mut world, &mut client, OK).await;
        assert_eq!((message.status(), message.field(MARK)), (200, Some("try_all")));
        let message = served(&mut world, &mut client, OK).await;
        assert_eq!((message.status(), message.field(MARK)), (200, None));
        drop(client);
        world.end().await;
    });
}

#[test]
fn a_pool_that_fails_fast_answers_503_without_asking_anybody() {
    run(async {
        let world = World::new(|spec| app(spec).when_all_down = WhenAllDownSpec::FailFast);
        all_refuse(&world);
        let mut client = world.client();
        assert_eq!(asked(&mut client).await.status(), 502, "those who were asked when all was well");
        let dialled = world.transport.dialled.get();
        let message = asked(&mut client).await;
        assert_eq!((message.status(), message.field(MARK)), (503, Some("fail_fast")));
        assert!(message.text().contains("\"cause\":\"pool_down\""), "{}", message.text());
        assert_eq!(world.transport.dialled.get(), dialled);
        drop(client);
        world.end().await;
    });
}

#[test]
fn a_fixed_answer_is_the_last_tier_also_for_the_request_that_found_all_down() {
    run(async {
        let world = World::new(|spec| {
            let headers = vec![("Content-Type".to_owned(), "text/plain".to_owned())];
            app(spec).when_all_down = WhenAllDownSpec::Respond(RespondSpec { status: 200, headers, body: "back soon".to_owned() });
        });
        all_refuse(&world);
        let mut client = world.client();
        for _ in 0..2 {
            let message = asked(&mut client).await;
            assert_eq!((message.status(), message.text(), message.field(MARK)), (200, "back soon", Some("respond")));
            assert_eq!(message.field("Content-Type"), Some("text/plain"));
        }
        drop(client);
        world.end().await;
    });
}

#[test]
fn another_pool_takes_the_requests_of_one_that_is_down_and_two_that_name_each_other_end() {
    run(async {
        for circular in [false, true] {
            let mut world = World::new(|spec| {
                app(spec).endpoints.truncate(2);
                app(spec).when_all_down = WhenAllDownSpec::Pool("other".to_owned());
                let mut other = app(spec).clone();
                other.endpoints.truncate(1);
                other.endpoints[0].id = "c".to_owned();
                other.endpoints[0].target = Some("127.0.0.1:3".to_owned());
                other.when_all_down = if circular { WhenAllDownSpec::Pool("app".to_owned()) } else { WhenAllDownSpec::TryAll };
                spec.pools.insert("other".to_owned(), other);
            });
            let refusing: &[&str] = if circular { &["a", "b", "c"] } else { &["a", "b"] };
            for endpoint in refusing {
                world.refuses(endpoint);
            }
            let mut client = world.client();
            if circular {
                assert_eq!(asked(&mut client).await.status(), 503);
                assert_eq!(asked(&mut client).await.status(), 503);
            } else {
                assert_eq!(served(&mut world, &mut client, OK).await.text(), "ok");
            }
            drop(client);
            let records = world.end().await;
            assert_eq!(
                attempts(&records[0]),
                if circular { "a:connect_refused b:connect_refused c:connect_refused" } else { "a:connect_refused b:connect_refused c:ok" }
            );
        }
    });
}

#[test]
fn the_standby_serves_the_request_that_found_the_primaries_dead_and_all_after_it_in_turn() {
    run(async {
        let mut world = World::new(|spec| {
            for (tier, endpoint) in (0..).zip(&mut app(spec).endpoints) {
                endpoint.tier = tier;
            }
        });
        let mut client = world.client();
        for (dead, expected) in [(None, "a:ok"), (Some("a"), "a:connect_refused b:ok"), (Some("b"), "b:connect_refused c:ok")] {
            if let Some(dead) = dead {
                world.refuses(dead);
            }
            let since = tokio::time::Instant::now();
            let message = served(&mut world, &mut client, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").await;
            assert_eq!(message.text(), "ok", "{expected}");
            took(since, millis(0));
        }
        let events = world.thread.shared().events.read(0).events;
        let moves: Vec<_> = events.iter().filter_map(|told| Some((told.from?, told.to?))).collect();
        assert_eq!(moves, [(0, 1), (1, 2)]);
        drop(client);
        let records = world.end().await;
        assert_eq!(records.iter().map(attempts).collect::<Vec<_>>(), ["a:ok", "a:connect_refused b:ok", "b:connect_refused c:ok"]);
    });
}

#[test]
fn a_server_that_says_when_to_come_back_is_left_alone_until_then() {
    run(async {
        let mut world = World::new(|spec| {
            app(spec).endpoints.truncate(2);
            app(spec).retry.statuses.clear();
        });
        let mut client = world.client();
        let busy = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let closing = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
        assert_eq!(served(&mut world, &mut client, busy).await.status(), 503);
        for _ in 0..3 {
            served(&mut world, &mut client, closing).await;
        }
        tokio::time::sleep(secs(3)).await;
        for _ in 0..2 {
            served(&mut world, &mut client, closing).await;
        }
        drop(client);
        let records = world.end().await;
        assert_eq!(records.iter().map(attempts).collect::<Vec<_>>(), ["a:ok", "b:ok", "b:ok", "b:ok", "a:ok", "b:ok"].map(str::to_owned));
    });
}

#[test]
fn a_server_that_begins_to_close_its_connections_gets_no_new_requests_for_a_while() {
    run(async {
        let mut world = World::new(|spec| app(spec).endpoints.truncate(2));
        let mut client = world.client();
        let mut servers = Vec::new();
        for _ in 0..2 {
            client.send(GET).await;
            let mut server = world.accept().await;
            server.message().await;
            server.send(OK).await;
            client.message().await;
            servers.push(server);
        }
        client.send(GET).await;
        servers[0].message().await;
        servers[0].send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").await;
        client.message().await;
        for _ in 0..3 {
            client.send(GET).await;
            servers[1].message().await;
            servers[1].send(OK).await;
            assert_eq!(client.message().await.text(), "ok");
        }
        drop((client, servers));
        world.end().await;
    });
}

#[test]
fn nobody_waits_in_the_queue_for_a_pool_that_is_down() {
    run(async {
        let world = World::new(|spec| (app(spec).max_inflight, app(spec).when_all_down) = (Some(1), WhenAllDownSpec::FailFast));
        for endpoint in &world.pool().endpoints {
            world.pool().failed(endpoint, 0, Cause::ConnectRefused, world.thread.shared().now());
        }
        let mut client = world.client();
        let since = tokio::time::Instant::now();
        assert_eq!(asked(&mut client).await.status(), 503);
        took(since, millis(0));
        drop(client);
        world.end().await;
    });
}
