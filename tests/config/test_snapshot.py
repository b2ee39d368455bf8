"""What the engine is told has the form that the engine reads."""

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from forebay import balance, endpoint
from forebay.config.load import from_dict, load
from forebay.config.schema import Endpoint, GatewayConfig, Limits, Listener, Pool, Route
from forebay.config.snapshot import delta, seed, snapshot
from forebay.config.sources import sources

ROOT = Path(__file__).parents[2]
SOURCE = (ROOT / "engine/src/snapshot.rs").read_text(encoding="utf-8")
EVERY_KEY = Path(__file__).parent / "every_key.toml"


def fields(struct: str) -> set[str]:
    """The keys that serde reads for a struct of snapshot.rs."""
    found = re.search(rf"pub struct {struct} \{{(.*?)^\}}", SOURCE, re.DOTALL | re.MULTILINE)
    assert found, struct
    pairs = re.findall(r'(?:#\[serde\(rename = "(\w+)"\)\]\s*)?^    pub (\w+):', found[1], re.MULTILINE)
    return {renamed or name for renamed, name in pairs}


def config(**keys: Any) -> GatewayConfig:
    return GatewayConfig(**{"listen": "127.0.0.1:0", "pools": {"app": Pool(["10.0.0.1:80"])}, **keys})


def test_a_snapshot_has_exactly_the_keys_that_the_engine_reads() -> None:
    made = snapshot(load(EVERY_KEY), 1, {})
    pool, route = made["pools"]["app"], made["routes"][0]
    for struct, table in {
        "SnapshotSpec": made,
        "LimitsSpec": made["limits"],
        "ListenerSpec": made["listeners"][0],
        "RouteSpec": route,
        "MatchSpec": route["match"],
        "HeaderEditsSpec": route["request_headers"],
        "PoolSpec": pool,
        "EndpointSpec": pool["endpoints"][1],
        "QueueSpec": pool["queue"],
        "RetrySpec": pool["retry"],
        "AffinitySpec": pool["affinity"],
        "LoadReportSpec": pool["load_report"],
    }.items():
        assert set(table) == fields(struct), struct


def test_values_are_seconds_bytes_and_null() -> None:
    made = snapshot(load(EVERY_KEY), 7, {})
    assert made["number"] == 7
    assert made["limits"]["head_timeout"] == 5
    assert made["limits"]["max_head"] == 16 * 1024
    assert made["trusted_proxies"] == ["10.0.0.0/8", "::1/128"]
    assert made["listeners"] == [
        {"name": "web", "bind": ["0.0.0.0:8080", "[::1]:8443"], "upgrades": ["websocket", "mqtt"], "half_close": True},
    ]
    api, old, health, last = made["routes"]
    assert (api["id"], api["timeout"], api["first_byte_timeout"], api["action"]) == ("api", 30, None, {"pool": "app"})
    assert api["match"]["header"] == {"x-tenant": "a*"}
    assert api["request_headers"] == {"set": [["x-from", "forebay"]], "remove": ["cookie"]}
    assert old["action"] == {"redirect": {"to": "https://example.com/new/$1${rest}?from=old#top", "status": 301}}
    assert health["action"] == {"respond": {"status": 200, "headers": [["content-type", "text/plain"]], "body": "ok\n"}}
    assert (last["id"], last["strip_prefix"]) == ("routes[3]", "/x")
    assert made["pools"]["app"]["host"] == {"fixed": "app.internal:8000"}
    assert made["pools"]["app"]["endpoints"] == [
        {"id": "10.0.0.1:8000", "address": "10.0.0.1:8000", "target": "10.0.0.1:8000", "weight": 1},
        {"id": "two", "address": "10.0.0.2:80", "target": "10.0.0.2:80", "weight": 2, "tier": 1},
        {"id": "unix:/run/app.sock", "address": "unix:/run/app.sock", "target": "unix:/run/app.sock", "weight": 0},
    ]


def test_a_policy_is_told_as_its_wire_form() -> None:
    policy = balance.least(endpoint.inflight / endpoint.weight)
    made = snapshot(config(pools={"app": Pool(["a:1"], balance=policy)}), 1, {})
    assert made["pools"]["app"]["policy"] == policy.spec
    assert json.loads(json.dumps(made)) == made


def test_everything_goes_to_the_only_pool_without_routes() -> None:
    (route,) = snapshot(config(), 1, {})["routes"]
    assert (route["id"], route["action"]) == ("routes[0]", {"pool": "app"})
    assert not any(route["match"].values())


def test_listening_on_all_takes_both_families() -> None:
    made = snapshot(config(listen=[":80", "localhost:81", "[::1]:82"]), 1, {})
    assert made["listeners"][0]["bind"] == ["[::]:80", "127.0.0.1:81", "[::1]:82"]


def test_only_names_need_to_be_resolved() -> None:
    pools = {"a": Pool(["a:1", "10.0.0.1:1", "unix:/x"]), "b": Pool(["a:1", "b:2", "[::1]:1"])}
    assert sources(config(pools=pools, routes=[Route(pool="a")])).keys() == {"a:1", "b:2"}


def test_a_name_is_an_endpoint_for_each_of_its_addresses() -> None:
    pools = {"app": Pool([Endpoint("a:1", weight=3), Endpoint("b:1", id="b"), Endpoint("c:1", id="c"), "d:1"])}
    resolved = {"a:1": ["10.0.0.1:1", "[::1]:1"], "b:1": ["10.0.0.2:1"], "c:1": ["10.0.0.3:1", "10.0.0.4:1"], "d:1": []}
    made = snapshot(config(pools=pools), 1, resolved)["pools"]["app"]["endpoints"]
    assert [(each["id"], each["address"], each["target"], each["weight"]) for each in made] == [
        ("10.0.0.1:1", "a:1", "10.0.0.1:1", 3),
        ("[::1]:1", "a:1", "[::1]:1", 3),
        ("b", "b:1", "10.0.0.2:1", 1),
        ("c@10.0.0.3:1", "c:1", "10.0.0.3:1", 1),
        ("c@10.0.0.4:1", "c:1", "10.0.0.4:1", 1),
        ("d:1", "d:1", None, 1),
    ]


def test_two_names_of_one_server_are_one_endpoint() -> None:
    pools = {"app": Pool([Endpoint("a:1", weight=2), "b:1"])}
    made = snapshot(config(pools=pools), 1, {"a:1": ["10.0.0.1:1"], "b:1": ["10.0.0.1:1"]})["pools"]["app"]["endpoints"]
    assert [(each["id"], each["weight"]) for each in made] == [("10.0.0.1:1", 2)]


def test_a_pools_seed_is_the_same_everywhere() -> None:
    assert seed("app") == 0xA172CEDCAE47474B
    assert seed("app") != seed("App")


def test_a_delta_has_only_keys_that_the_engine_reads_and_says_only_what_differs() -> None:
    old = snapshot(config(), 1, {})
    assert delta(old, {**old, "number": 2}) == {"base": 1, "number": 2, "routes": [], "pools": {}, "removed_pools": []}
    new = snapshot(
        config(
            listen=None,
            listeners={"web": Listener("127.0.0.1:1")},
            limits=Limits(head_timeout=1),
            trusted_proxies="::/0",
            forwarded="off",
            pools={"b": Pool(["b:1"])},
            routes=[Route(name="x", pool="b")],
        ),
        2,
        {},
    )
    change = delta(old, new)
    assert set(change) == fields("DeltaSpec")
    assert change["removed_pools"] == ["app"]
    assert change["route_order"] == ["x"]


def test_an_unchanged_route_is_not_sent_again_when_it_moves() -> None:
    one, two = Route(name="one", pool="app", match={"path": "/1"}), Route(name="two", pool="app")
    change = delta(snapshot(config(routes=[one, two]), 1, {}), snapshot(config(routes=[two, one]), 2, {}))
    assert (change["routes"], change["route_order"]) == ([], ["two", "one"])


def applied(old: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """The snapshot that a delta makes of another, as `DeltaSpec` describes it."""
    known = {route["id"]: route for route in (*old["routes"], *change["routes"])}
    pools = {name: pool for name, pool in {**old["pools"], **change["pools"]}.items() if name not in change["removed_pools"]}
    parts = {part: change.get(part, old[part]) for part in ("limits", "trusted_proxies", "forwarded", "listeners", "name")}
    order = change.get("route_order") or [route["id"] for route in old["routes"]]
    return {"number": change["number"], **parts, "routes": [known[each] for each in order], "pools": pools}


@given(data=st.data())
def test_a_delta_leads_from_any_snapshot_to_any_other(data: st.DataObject, declarations: st.SearchStrategy[dict[str, Any]]) -> None:
    old, new = (json.loads(json.dumps(snapshot(from_dict(data.draw(declarations), GatewayConfig), number, {}))) for number in (1, 2))
    assert old["number"] == delta(old, new)["base"]
    assert applied(old, delta(old, new)) == new
