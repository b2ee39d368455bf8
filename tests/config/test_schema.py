"""What Python may declare, and what it is told when it may not."""

import copy
import pickle
from typing import Any

import pytest

from forebay.config.schema import Endpoint, GatewayConfig, Limits, Listener, Match, Pool, Queue, Redirect, Respond, Retry, Route
from forebay.config.table import Table
from forebay.errors import ConfigError
from forebay.types import Address

POOLS = {"app": Pool(["a:1"])}


def faults(table: type[Table], *arguments: Any, **keys: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        table(*arguments, **keys)
    return [str(fault) for fault in caught.value.faults]


def gateway(**keys: Any) -> GatewayConfig:
    return GatewayConfig(**{"listen": "127.0.0.1:0", "pools": POOLS, **keys})


def gateway_faults(**keys: Any) -> list[str]:
    return faults(GatewayConfig, **{"listen": "127.0.0.1:0", "pools": POOLS, **keys})


def test_first_arguments_may_stand_without_their_names() -> None:
    pool = Pool(["10.0.0.1:80", Endpoint("b:1", weight=2), {"address": "c:1"}], balance="random")
    assert pool == Pool(endpoints=["10.0.0.1:80", Endpoint(address="b:1", weight=2), "c:1"], balance="random")
    assert Listener("127.0.0.1:1") == Listener(bind=["127.0.0.1:1"])
    assert Redirect("/x") == Redirect(to="/x")


def test_addresses_are_taken_as_values_too() -> None:
    assert Pool([Address("tcp", "a", 1)]) == Pool(["a:1"])
    assert gateway(listen=Address.parse(":1")).listen == (Address("tcp", "", 1),)


def test_any_iterable_is_a_list_of_endpoints() -> None:
    assert Pool(f"10.0.0.{n}:80" for n in (1, 2)) == Pool(("10.0.0.1:80", "10.0.0.2:80"))


def test_a_python_call_is_told_its_faults_with_the_paths_of_a_file() -> None:
    assert gateway_faults(listen=1, pool=Pool(["a:1"]), shutdown_grace="x") == [
        'gateway.listen: must be an address, not a number; write it as "HOST:PORT"',
        'gateway.shutdown_grace: "x" is no duration; write a duration such as "2s", "500ms" or "1m30s"',
        'pool: unknown key; did you mean "pools"?',
    ]


def test_tables_inside_tables_are_checked_in_one_go() -> None:
    assert gateway_faults(pools={"app": {"endpoints": [{"address": "a:1", "wieght": 1}, "b"]}}, limits={"max_head": "1"}) == [
        "limits.max_head: must lie between 1KiB and 64KiB, not 1B",
        'pools.app.endpoints[0].wieght: unknown key; did you mean "weight"?',
        'pools.app.endpoints[1]: "b" has no port; write "b:80", say',
    ]


def test_a_table_alone_is_told_its_own_faults() -> None:
    assert faults(Endpoint, "a:1", weight=2000) == ["weight: must be at most 1000, not 2000"]
    assert faults(Pool) == ['endpoints: missing; write endpoints = ["10.0.0.1:80"]']


def test_a_table_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Pool(["a:1"]).balance = "random"  # type: ignore[misc, assignment]


def test_a_configuration_can_be_copied_and_pickled() -> None:
    config = gateway(routes=[Route(pool="app")])
    assert copy.deepcopy(config) == config
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301 - made here


def test_the_defaults_are_those_of_the_design() -> None:
    config = gateway()
    assert config.model_dump(mode="json", exclude={"listen", "pools", "routes", "listeners"}) == {
        "threads": "auto",
        "admin": None,
        "admin_token": None,
        "access_log": "stdout",
        "state_dir": None,
        "shutdown_grace": "30s",
        "trusted_proxies": [],
        "forwarded": "x-forwarded",
        "limits": {
            "head_timeout": "10s",
            "body_timeout": "30s",
            "send_timeout": "30s",
            "keepalive_timeout": "75s",
            "tunnel_timeout": "1h",
            "total_timeout": "off",
            "max_head": "32KiB",
            "max_body": "off",
            "max_connections": "off",
        },
    }
    assert POOLS["app"].model_dump(mode="json", exclude={"endpoints"}) == {
        "balance": "shortest_expected_delay",
        "discovery": {
            "dns": None,
            "srv": None,
            "file": None,
            "min_ttl": "1s",
            "max_ttl": "60s",
            "empty_grace": "60s",
            "nameservers": [],
        },
        "host": "client",
        "connect_timeout": "1s",
        "max_connections": "off",
        "max_inflight": "off",
        "queue": {"size": 1000, "timeout": "5s"},
        "retry": {"attempts": 3, "budget": 0.2, "statuses": [502, 503, 504], "replay_buffer": "64KiB", "attempt_timeout": "learned"},
        "hedge": {"enabled": False, "budget": 0.02},
        "health": None,
        "ejection": {"consecutive": 3, "min_requests": 10, "base": "10s", "max": "5m", "max_ejected": "50%"},
        "slow_start": {"window": "0s"},
        "failover": {"min_healthy": 1, "failback": "automatic", "hold_down": "10s"},
        "when_all_down": {"policy": "try_all", "respond": None},
        "affinity": None,
        "load_report": {"keep": False},
    }
    route = Route(pool="app")
    assert (route.timeout, route.first_byte_timeout) == (None, 60)
    assert Listener(":1").upgrades == ("websocket",)
    assert Listener(":1").half_close is False


def test_listen_is_short_for_one_listener() -> None:
    assert gateway(listen=["127.0.0.1:1", "[::1]:1"]).all_listeners == {"default": Listener(["127.0.0.1:1", "[::1]:1"])}


def test_listeners_go_by_their_own_names() -> None:
    assert gateway(listen=None, listeners={"web": Listener(":1")}).all_listeners == {"web": Listener(":1")}


def test_both_forms_of_listening_or_neither_are_a_fault() -> None:
    assert gateway_faults(listeners={"web": Listener(":1")}) == [
        "gateway.listen: stands beside [listeners]; listen is short for one listener; keep one of the two",
    ]
    assert gateway_faults(listen=None) == [
        'gateway.listen: no address to listen on; write listen = "127.0.0.1:8080", or a table [listeners.web] with bind',
    ]
    assert gateway_faults(listen=[]) == ['gateway.listen: is empty; write listen = "127.0.0.1:8080"']


def test_an_address_bound_twice_is_a_fault_and_port_zero_is_not() -> None:
    assert gateway_faults(listen=["127.0.0.1:80", "127.0.0.1:80"], admin="127.0.0.1:80") == [
        'gateway.listen[1]: "127.0.0.1:80" is bound by gateway.listen[0] too; give each its own address',
        'gateway.admin: "127.0.0.1:80" is bound by gateway.listen[0] too; give each its own address',
    ]
    assert gateway(listen=["127.0.0.1:0", "127.0.0.1:0"]).listen


@pytest.mark.parametrize("admin", ["0.0.0.0:1", ":1", "10.0.0.1:1", "[::]:1", "example.com:1", "unix:/x"])
def test_the_admin_api_listens_on_loopback_only(admin: str) -> None:
    assert gateway_faults(admin=admin)[0].startswith("gateway.admin: ")


@pytest.mark.parametrize("admin", ["127.0.0.1:1", "127.1.2.3:0", "[::1]:1", "localhost:1"])
def test_any_loopback_address_does_for_the_admin_api(admin: str) -> None:
    assert str(gateway(admin=admin).admin) == admin


def test_everything_goes_to_the_only_pool_where_no_route_is_declared() -> None:
    assert gateway().all_routes == (Route(pool="app"),)


def test_several_pools_need_a_route() -> None:
    assert gateway_faults(pools={"a": Pool(["a:1"]), "b": Pool(["b:1"])}) == [
        'routes: there are 2 pools and no route; write [[routes]] and then pool = "a"',
    ]


def test_a_gateway_without_servers_may_answer_by_itself() -> None:
    assert gateway(pools={}, routes=[Route(respond=Respond(body="ok"))]).pools == {}


def test_an_unknown_pool_is_told_with_the_nearest_or_all() -> None:
    pools = {"app": Pool(["a:1"]), "static": Pool(["b:1"])}
    routes = [Route(pool="statik"), Route(pool="xyz")]
    assert gateway_faults(pools=pools, routes=routes) == [
        'routes[0].pool: there is no pool "statik"; did you mean "static"?',
        'routes[1].pool: there is no pool "xyz"; the pools are app, static',
    ]


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({}, 'says nothing to do with a request; give it one of "pool", "redirect" or "respond"'),
        ({"pool": "a", "respond": {}}, 'respond: stands beside "pool"; a route has exactly one of "pool", "redirect" or "respond"'),
        ({"pool": "a", "rewrite": "x"}, 'rewrite: "x" does not start with one "/"; did you mean "/x"?'),
        ({"pool": "a", "rewrite": "/x?a"}, "rewrite: \"/x?a\" holds a query or a fragment; the request's own query is kept; leave it out"),
        ({"pool": "a", "strip_prefix": "/"}, 'strip_prefix: "/" is no prefix of a path; write it as "/prefix"'),
        ({"redirect": "x"}, 'redirect: "x" is no URL to redirect to; write "/path" or "https://HOST/path"'),
        ({"redirect": "//x"}, 'redirect: "//x" is no URL to redirect to; write "/path" or "https://HOST/path"'),
        ({"redirect": {"to": "/", "status": 300}}, "redirect.status: must be 301, 302, 303, 307 or 308, not 300"),
        ({"respond": {"status": 204, "body": "x"}},
         'respond.body: an answer with status 204 has no body; leave "body" out, or choose another status'),
        ({"pool": "a", "timeout": "0s"}, 'timeout: must be longer than zero; write "off" for no limit'),
        ({"pool": "a", "match": []}, 'match: must be a table, not a list; write match = { path = "/v1/*" }'),
        ({"pool": "a", "request_headers": {"set": {"A": "1", "a": "2"}}},
         'request_headers.set.a: names the same field as "A"; keep one of them'),
        ({"pool": "a", "response_headers": {"remove": "Connection"}},
         'response_headers.remove: "Connection" belongs to the connection; the gateway writes it by itself; leave it out'),
        ({"pool": "a", "response_headers": {"set": {"a": " b"}}},
         "response_headers.set.a: ' b' begins or ends with white space, which no field's value may; write \"b\""),
        ({"pool": "a b"}, 'pool: "a b" is no name; use up to 64 letters, digits, _, - and ., and begin with neither of the last two'),
        ({"name": "routes[1]", "pool": "a"},
         'name: "routes[1]" is no name; use up to 64 letters, digits, _, - and ., and begin with neither of the last two'),
    ],
)  # fmt: skip
def test_a_route_that_makes_no_sense_is_told_why(keys: dict[str, Any], fault: str) -> None:
    assert faults(Route, **keys) == [fault]


def test_a_key_at_fault_hides_no_fault_between_keys_and_breaks_none() -> None:
    assert faults(Respond, status=[], body="x") == ["status: must be a whole number, not a list"]
    assert faults(Respond, status="204", body="x")[0].startswith("body: an answer with status 204 has no body")


@pytest.mark.parametrize(
    ("match", "rewrite", "fault"),
    [
        ({"path": "/a/*"}, "/b/*", None),
        ({"path": ["/a/*", "/c/*"]}, "/b/*", None),
        ({"path": ["/a/*", "/c"]}, "/b/*", 'has a "*", but not every path of the match ends in "/*"'),
        ({}, "/b/*", 'has a "*", but not every path of the match ends in "/*"'),
        ({"path": "~/(a)/(b)"}, "/$2/$1", None),
        ({"path": "~/(a)/(b)"}, "/$3", 'has "$3", but "~/(a)/(b)" has no such group'),
        ({"path": "~/(?P<x>a)(?<y>b)"}, "/${x}$y", None),
        ({"path": "~/(?P<x>a)"}, "/$y", 'has "$y", but "~/(?P<x>a)" has no such group'),
        ({"path": "~/(?:a)[(]\\("}, "/$1", 'has "$1", but "~/(?:a)[(]\\(" has no such group'),
        ({"path": "/a/*"}, "/$1", 'has "$1", but not every path of the match is a regex'),
        ({"path": "/a"}, "/$$", None),
        ({"path": "/a"}, "/$", 'has a "$" that names no group'),
    ],
)
def test_place_holders_must_stand_for_something(match: dict[str, Any], rewrite: str, fault: str | None) -> None:
    if fault is None:
        assert Route(pool="a", match=match, rewrite=rewrite).rewrite == rewrite
    else:
        (found,) = faults(Route, pool="a", match=match, rewrite=rewrite)
        assert found.startswith(f"rewrite: {fault}; ")


@pytest.mark.parametrize(
    ("endpoints", "fault"),
    [
        ([], 'endpoints: is empty; write endpoints = ["10.0.0.1:80"]'),
        ("a:1", "endpoints: must be a list, not a string; write it in brackets, as [...]"),
        (["a:1", "A:1"], 'endpoints[1]: "a:1" stands here twice, first as endpoints[0]; leave one out, or give each its own id'),
        ([{"address": "a:1", "id": "x"}, {"address": "b:1", "id": "x"}],
         'endpoints[1]: "x" stands here twice, first as endpoints[0]; leave one out, or give each its own id'),
        ([{"address": "a:1", "weight": 0}], "endpoints: every weight is 0, so that none takes a request; give at least one a weight of 1"),
        ([{"address": "a:1", "weight": 1.5}], "endpoints[0].weight: must be a whole number, not 1.5"),
        ([{"weight": 1}], 'endpoints[0].address: missing; write "10.0.0.1:80" or { address = "10.0.0.1:80", weight = 2 }'),
        ([":80"], 'endpoints[0]: ":80" has no host; write "127.0.0.1:80"'),
        (["a:0"], 'endpoints[0]: "a:0" has the port 0, which nothing can be reached at; a port is a number from 1 to 65535'),
        (["0.0.0.0:80"], 'endpoints[0]: "0.0.0.0:80" stands for all addresses, to listen on; write "127.0.0.1:80"'),
        ([{"address": "a:1", "id": "a b"}], "endpoints[0].id: 'a b' is no id; an id has 1 to 255 printable characters and no space"),
        ([1], 'endpoints[0]: must be an address, not a number; write it as "HOST:PORT"'),
    ],
)  # fmt: skip
def test_endpoints_that_make_no_sense_are_told_why(endpoints: Any, fault: str) -> None:
    assert faults(Pool, endpoints) == [fault]


def test_one_address_may_serve_twice_under_two_ids() -> None:
    assert len(Pool([Endpoint("a:1", id="x"), Endpoint("a:1", id="y")]).endpoints) == 2


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("client", "client"),
        ("endpoint", "endpoint"),
        ("App.Example.com", "app.example.com"),
        ("a:80", "a:80"),
        ("[::1]", "[::1]"),
        ("[::1]:80", "[::1]:80"),
    ],
)
def test_the_host_that_is_sent_is_a_word_or_a_name(written: str, host: str) -> None:
    assert Pool(["a:1"], host=written).host == host


@pytest.mark.parametrize("host", ["", "a b", "http://a", "a:x", 1])
def test_what_is_no_host_is_refused(host: object) -> None:
    assert faults(Pool, ["a:1"], host=host)[0].startswith("host: ")


def test_names_that_ignore_case_are_kept_in_one() -> None:
    match = Match(host="API.Example.com", method="get", header={"X-A": "B"})
    assert (match.host, match.method, match.header) == (("api.example.com",), ("GET",), {"x-a": "B"})


def test_upgrades_never_pass_h2c() -> None:
    assert Listener(":1", upgrades=["WebSocket"]).upgrades == ("websocket",)
    assert faults(Listener, ":1", upgrades=["H2C"]) == [
        'upgrades[0]: "h2c" would carry requests past the gateway unseen, and is never passed; leave it out',
    ]


@pytest.mark.parametrize("bind", ["example.com:80", "unix:/run/a.sock", []])
def test_only_addresses_of_the_machine_are_listened_on(bind: object) -> None:
    assert faults(Listener, bind)[0].startswith("bind: ")


@pytest.mark.parametrize("threads", [0, 1025, "many", True, 1.5])
def test_threads_are_auto_or_a_number(threads: object) -> None:
    assert gateway_faults(threads=threads)[0].startswith("gateway.threads: must be ")


@pytest.mark.parametrize("table", [GatewayConfig, Endpoint, Limits, Listener, Match, Pool, Queue, Redirect, Respond, Retry, Route])
def test_every_key_is_described_in_sentences(table: type[Table]) -> None:
    for name, field in table.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
