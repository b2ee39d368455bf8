//! Evidence about endpoints: when one that is silent is suspected, when a request is ended for it, and when not.

use std::time::Duration;

use tokio::time::Instant;

use crate::record::Cause;
use crate::snapshot::SnapshotSpec;
use crate::testing::world::app;
use crate::testing::world::attempts;
use crate::testing::{Peer, World, millis, pass, run, secs};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A world of a probed pool that has learned that answers take 20 ms.
fn probed(edit: impl FnOnce(&mut SnapshotSpec)) -> World {
    let world = World::new(|spec| {
        app(spec).probed = true;
        edit(spec);
    });
    let snapshot = world.thread.snapshot();
    (0..300).for_each(|now| snapshot.routes.routes()[0].learned.record(millis(20), now));
    world
}

async fn asked(world: &mut World) -> Peer {
    let mut server = world.accept().await;
    server.message().await;
    server
}

/// What is heard of the endpoints, and what becomes of their probes, every 10 ms for a while.
async fn goes_by(world: &World, time: Duration, heard: &[usize], deaf: Option<usize>) {
    let (pool, until) = (world.pool(), Instant::now() + time);
    while Instant::now() < until {
        pass(millis(10)).await;
        let now = world.thread.shared().now();
        for place in heard {
            pool.endpoints[*place].state.evidence.hear(now);
        }
        if let Some(place) = deaf {
            pool.endpoints[place].state.evidence.lose_probe(now - 5);
        }
    }
}

#[test]
fn a_post_on_an_endpoint_that_is_proven_dead_ends_with_a_cause_of_its_own() {
    run(async {
        let mut world = probed(|_| {});
        let start = Instant::now();
        let mut client = world.asks(POST).await;
        let mut server = asked(&mut world).await;
        goes_by(&world, secs(1), &[1, 2], Some(0)).await;
        let answer = client.message().await;
        assert_eq!((answer.status(), answer.text().contains("endpoint_unresponsive")), (504, true));
        assert!(start.elapsed() <= secs(2));
        server.ends_at_once().await;
        world.nobody_else_is_asked().await;
        drop(client);
        let record = world.ends_with(504, Some(Cause::EndpointUnresponsive)).await;
        assert_eq!((attempts(&record).as_str(), &record["not_repeated"]), ("a:endpoint_unresponsive", &"not_idempotent".into()));
    });
}

#[test]
fn a_post_is_never_ended_on_less_evidence() {
    run(async {
        // Its probes are answered; nobody else answers; it is heard on another connection; the pool has no probes.
        for (heard, deaf, probes) in
            [(&[1, 2][..], None, true), (&[], Some(0), true), (&[0, 1, 2], Some(0), true), (&[1, 2], Some(0), false)]
        {
            let mut world = probed(|spec| app(spec).probed = probes);
            let mut client = world.asks(POST).await;
            let mut server = asked(&mut world).await;
            goes_by(&world, secs(30), heard, deaf).await;
            assert!(client.is_quiet().await, "{heard:?} {deaf:?}");
            server.send(OK).await;
            assert_eq!(client.message().await.text(), "ok");
            world.nobody_else_is_asked().await;
            drop((client, server));
            world.ends_with(200, None).await;
        }
    });
}

#[test]
fn a_get_on_an_endpoint_that_is_proven_dead_is_repeated_even_where_nothing_is_learned() {
    run(async {
        let mut world = World::new(|spec| app(spec).probed = true);
        let mut client = world.asks(GET).await;
        let first = asked(&mut world).await;
        goes_by(&world, secs(2), &[1, 2], Some(0)).await;
        let mut second = asked(&mut world).await;
        second.send(OK).await;
        assert_eq!(client.message().await.text(), "ok");
        drop((client, first, second));
        let record = world.ends_with(200, None).await;
        assert_eq!(attempts(&record), "a:endpoint_unresponsive b:ok");
    });
}
