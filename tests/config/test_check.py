"""The linter says what is legal and probably wrong, and is silent about the rest."""

from pathlib import Path

import pytest

from forebay.config.check import warnings
from forebay.config.load import loads
from forebay.config.schema import Endpoint, GatewayConfig, HeaderEdits, Limits, Pool, Queue, Route


def told(routes: list[Route] | None = None, **keys: object) -> list[str]:
    pool = keys.pop("pool", Pool(["a:1"]))
    config = GatewayConfig(**{"listen": "127.0.0.1:1", "pools": {"app": pool}, "routes": routes or [], **keys})
    found = warnings(config)
    assert {fault.severity for fault in found} <= {"warning"}
    return [str(fault) for fault in found]


def matching(**match: object) -> Route:
    return Route(pool="app", match=match)


def test_a_plain_configuration_has_no_warning() -> None:
    assert told([matching(path="/v1/*"), matching(path="/v2/*"), Route(pool="app")]) == []


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ({}, {"path": "/a"}),
        ({}, {}),
        ({"path": "/*"}, {"path": "/a"}),
        ({"path": "/a/*"}, {"path": "/a"}),
        ({"path": "/a/*"}, {"path": "/a/b/*"}),
        ({"path": ["/b", "/a"]}, {"path": "/a", "method": "GET"}),
        ({"path": "~/a"}, {"path": "~/a"}),
        ({"host": "*.example.com"}, {"host": ["a.example.com", "*.b.example.com"]}),
        ({"method": ["GET", "POST"]}, {"method": "GET"}),
        ({"header": {"x": "*"}}, {"header": {"X": "1", "y": "2"}}),
        ({"query": {"x": "1"}}, {"query": {"x": "1"}, "path": "/a"}),
    ],
)
def test_a_route_behind_a_wider_one_is_never_reached(wide: dict[str, object], narrow: dict[str, object]) -> None:
    (warning,) = told([matching(**wide), matching(**narrow)])
    assert warning == 'routes[1]: is never reached: "routes[0]" before it takes all that it matches; move it up, or leave it out'


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"path": "/a"}, {"path": "/a/b"}),
        ({"path": "/a/*"}, {"path": "/ab"}),
        ({"path": "/a/*"}, {"path": ["/a/b", "/c"]}),
        ({"path": "/a"}, {}),
        ({"path": "/a/*"}, {"path": "~/a/.*"}),
        ({"host": "*.example.com"}, {"host": "example.com"}),
        ({"host": "*.b.example.com"}, {"host": "*.example.com"}),
        ({"method": "GET"}, {}),
        ({"header": {"x": "1"}}, {"header": {"x": "*"}}),
        ({"query": {"x": "1"}}, {"query": {"x": "2"}}),
    ],
)
def test_a_route_behind_another_that_leaves_it_something_is_reached(first: dict[str, object], second: dict[str, object]) -> None:
    assert told([matching(**first), matching(**second)]) == []


def test_ten_thousand_routes_are_compared_in_passing() -> None:
    routes = [matching(host=f"h{n % 100}.example.com", path=f"/p{n}/*", header={"x": str(n)}) for n in range(10_000)]
    assert told([*routes, Route(pool="app")]) == []


def test_a_pool_that_no_route_leads_to_is_told() -> None:
    pools = {"app": Pool(["a:1"]), "spare": Pool(["b:1"])}
    assert told([Route(pool="app")], pools=pools) == [
        'pools.spare: no route leads to it; write [[routes]] and then pool = "spare", or leave it out',
    ]


def test_more_requests_than_connections_are_told() -> None:
    assert told(pool=Pool(["a:1"], max_inflight=20, max_connections=10)) == [
        "pools.app.max_inflight: 20 is more than max_connections, 10, and each request has a connection; at most 10 will run",
    ]


def test_a_file_of_endpoints_that_is_missing_broken_or_empty_is_told_and_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "endpoints.json"
    pools = {"default": Pool(discovery={"file": file})}
    key = "pools.default.discovery.file"
    assert told(pools=pools) == [f'{key}: "{file}" cannot be read: No such file or directory; the pool waits for it']
    file.write_text('["10.0.0.1:80"')
    wrong = f"{file}:1: not JSON: expecting ',' delimiter (column 15)"
    assert told(pools=pools) == [f"{key}: {wrong}; until it is right, the pool has what it said before"]
    file.write_text("[]")
    assert told(pools=pools) == [f'{key}: "{file}" holds no endpoints; the pool waits for some']
    file.write_text('["10.0.0.1:80"]')
    assert told(pools=pools) == []


def test_weights_that_random_passes_by_are_told() -> None:
    pool = Pool([Endpoint("a:1", weight=2), "b:1"], balance="random")
    assert told(pool=pool) == ['pools.app.balance: "random" takes no account of the weights; write "weighted_random"']


def test_times_that_can_never_pass_are_told() -> None:
    pool = Pool(["a:1"], max_inflight=1, queue=Queue(timeout="10s"), connect_timeout="5s")
    routes = [Route(pool="app", timeout="5s", first_byte_timeout="6s")]
    assert [warning.partition(", which comes first")[0] for warning in told(routes, pool=pool, limits=Limits(total_timeout="4s"))] == [
        "routes[0].first_byte_timeout: 6s is longer than this route's timeout, 5s",
        "routes[0].timeout: the queue of the pool app waits 10s, longer than this route's timeout, 5s",
        "routes[0].timeout: connect_timeout of the pool app, 5s, is no shorter than this route's timeout, 5s",
        "routes[0].timeout: 5s is longer than limits.total_timeout, 4s",
    ]


def test_a_default_is_never_blamed_for_being_longer() -> None:
    assert told([Route(pool="app", timeout="5s")]) == []


def test_keys_without_effect_are_told() -> None:
    routes = [Route(redirect="/x", timeout="5s", match={"path": "/a"}), Route(pool="app")]
    assert told(routes) == ['routes[0].timeout: has no effect beside "redirect", which sends nothing to a server; leave it out']


def test_a_prefix_that_no_path_has_is_told() -> None:
    routes = [Route(pool="app", match={"path": "/ab/*"}, strip_prefix="/a"), Route(pool="app", match={"path": "/c/*"}, strip_prefix="/c")]
    assert told(routes) == ['routes[0].strip_prefix: no path of the match begins with "/a"; nothing will be stripped']


def test_a_field_both_removed_and_set_is_told() -> None:
    route = Route(pool="app", request_headers=HeaderEdits(set={"X-A": "1"}, remove=["x-a"]))
    assert told([route]) == ['routes[0].request_headers.remove: "x-a" is set too, which comes after; leave one of them out']


@pytest.mark.parametrize(("listen", "count"), [(":80", 1), ("10.0.0.1:80", 1), ("127.0.0.1:80", 0), ("localhost:80", 0), ("[::1]:80", 0)])
def test_trusting_everyone_on_a_public_address_is_told(listen: str, count: int) -> None:
    assert len(told(listen=listen, trusted_proxies=["0.0.0.0/0"])) == count


def test_warnings_stand_at_their_lines() -> None:
    text = '[gateway]\nlisten = ":1"\n[[routes]]\npool = "a"\n[[routes]]\npool = "a"\n[pools.a]\nendpoints = ["a:1"]\n'
    (fault,) = warnings(loads(text, "gateway.toml", GatewayConfig))
    assert fault.place == "gateway.toml:5"
