//! What servers say of their load: read, acted upon, and kept from clients.

use serde_json::json;

use crate::snapshot::{PolicySpec, SnapshotSpec};
use crate::testing::world::{app, attempts};
use crate::testing::{World, run, secs};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// The least of an expression; of several, the next in turn.
fn least(expression: &serde_json::Value) -> impl FnOnce(&mut SnapshotSpec) {
    let policy = json!({"kind": "score", "order": "least", "expression": expression, "choices": null, "ties": "rotate"});
    let policy: PolicySpec = serde_json::from_value(policy).unwrap();
    move |spec| app(spec).policy = policy
}

/// Asks; whoever is asked answers with this report. Returns the response's head.
async fn served(world: &mut World, report: &str) -> String {
    let mut client = world.asks(GET).await;
    let mut server = world.accept().await;
    server.head().await;
    let report = if report.is_empty() { String::new() } else { format!("Endpoint-Load-Metrics: {report}\r\n") };
    server.send(format!("HTTP/1.1 200 OK\r\n{report}Content-Length: 2\r\nConnection: close\r\nX-Last: 1\r\n\r\nok")).await;
    client.message().await.head
}

async fn servers(world: World) -> String {
    let records = world.end().await;
    records.iter().map(|record| attempts(record).replace(":ok", "")).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_report_is_for_the_gateway_alone_unless_the_pool_keeps_it() {
    run(async {
        for keep in [false, true] {
            let mut world = World::new(|spec| app(spec).load_report.keep = keep);
            for report in ["TEXT cpu_utilization=0.3", "JSON {\"cpu_utilization\": 0.3}", "what is this?"] {
                let head = served(&mut world, report).await;
                assert_eq!(head.contains(&format!("Endpoint-Load-Metrics: {report}\r\n")), keep, "{head}");
                assert!(head.contains("X-Last: 1\r\n"), "{head}");
            }
            world.end().await;
        }
    });
}

#[test]
fn a_report_in_an_interim_response_reaches_nobody() {
    run(async {
        let mut world = World::new(|spec| app(spec).load_report.keep = true);
        let mut client = world.asks(GET).await;
        let mut server = world.accept().await;
        server.head().await;
        server.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nendpoint-load-metrics: TEXT cpu_utilization=1\r\n\r\n").await;
        let interim = client.head().await;
        assert!(interim.contains("Link: </a>\r\n") && !interim.contains("load-metrics"), "{interim}");
        server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        client.head().await;
        drop(client);
        world.end().await;
    });
}

#[test]
fn a_policy_reads_the_load_that_servers_report() {
    run(async {
        let mut world = World::new(least(&json!("reported_load")));
        for load in ["0.9", "0.5", "0.1"] {
            served(&mut world, &format!("TEXT cpu_utilization={load}")).await;
        }
        tokio::time::sleep(secs(1)).await;
        for _ in 0..4 {
            served(&mut world, "").await;
        }
        assert_eq!(servers(world).await, "a b c c c c c");
    });
}

#[test]
fn a_policy_reads_the_metrics_that_servers_name_until_they_are_stale() {
    run(async {
        let mut world = World::new(least(&json!(["reported", "kv_cache"])));
        for used in ["0.2", "0.9", "0.5"] {
            served(&mut world, &format!("JSON {{\"named_metrics\": {{\"kv_cache\": {used}}}}}")).await;
        }
        for seconds in [1, 1, 10, 1, 1] {
            tokio::time::sleep(secs(seconds)).await;
            served(&mut world, "").await;
        }
        assert_eq!(servers(world).await, "a b c a a c a b", "when all are stale, all are alike");
    });
}

#[test]
fn requests_of_other_gateways_count_as_in_flight() {
    run(async {
        let mut world = World::new(least(&json!("inflight")));
        served(&mut world, "TEXT named_metrics.inflight=5").await;
        for _ in 0..4 {
            served(&mut world, "").await;
        }
        tokio::time::sleep(secs(9)).await;
        let others = |world: &World| world.pool().moment(0.0).inflight(0);
        assert_eq!(others(&world), 4, "five, and one of them from here");
        tokio::time::sleep(secs(2)).await;
        served(&mut world, "").await;
        assert_eq!(others(&world), 0, "stale");
        assert_eq!(servers(world).await, "a c b c b c");
    });
}

#[test]
fn a_report_that_makes_no_sense_changes_nothing() {
    run(async {
        let mut world = World::new(least(&json!(["+", "reported_load", "inflight"])));
        for report in [
            "TEXT cpu_utilization=nan, named_metrics.inflight=inf",
            "JSON {\"cpu_utilization\": 1",
            "BIN 0",
            "TEXT named_metrics.inflight=-7",
        ] {
            served(&mut world, report).await;
            tokio::time::sleep(secs(1)).await;
        }
        assert_eq!(servers(world).await, "a b c a");
    });
}
