"""The linter's rules about policies: what a new endpoint breaks, what has no effect, what never occurs."""

import pytest

from forebay.balance import POLICIES
from forebay.config.check import warnings
from forebay.config.load import loads
from forebay.config.schema import Endpoint, GatewayConfig, Pool, Route

UNWEIGHED = {"round_robin", "random", "first_available"}
NOTHING = "for an endpoint that has just joined ({}), so that it gets nothing while others may serve"


def told(pool: Pool, *matches: dict[str, object], **keys: object) -> list[str]:
    """What the linter says about a pool's policy, where its routes match these."""
    routes = [Route(pool="app", match=match) for match in matches]
    found = warnings(GatewayConfig(**{"listen": "127.0.0.1:1", "pools": {"app": pool}, "routes": routes, **keys}))
    assert {fault.key for fault in found} <= {"pools.app.balance"}
    return [f"{fault.message}; {fault.hint}" for fault in found]


def equal(balance: str) -> Pool:
    return Pool(["a:1", "b:1"], balance=balance)


@pytest.mark.parametrize(
    ("balance", "warning"),
    [
        ("round_robin", '"round_robin" takes no account of the weights; write "weighted_round_robin"'),
        ("random", '"random" takes no account of the weights; write "weighted_random"'),
        ("first_available(limit=3)", '"first_available(limit=3)" takes no account of the weights; leave them out'),
        ("least(inflight)", "the score has no weight in it, so that the endpoints' weights have no effect; divide by weight"),
        ("most(-inflight)", "the score has no weight in it, so that the endpoints' weights have no effect; multiply by weight"),
    ],
)
def test_a_policy_that_passes_weights_by_is_told(balance: str, warning: str) -> None:
    assert told(Pool([Endpoint("a:1", weight=2), "b:1"], balance=balance)) == [warning]
    assert told(Pool([Endpoint("a:1", weight=0), "b:1"], balance=balance)) == []


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - UNWEIGHED - {"least", "most", "python"}))
def test_a_policy_of_the_catalogue_that_weighs_is_never_complained_of(policy: str) -> None:
    assert told(Pool([Endpoint("a:1", weight=2), Endpoint("b:1", weight=0), "c:1"], balance=policy)) == []


@pytest.mark.parametrize(
    ("balance", "part", "value", "fields", "remedy"),
    [
        ("least(inflight / age)", "inflight / age", "nan", "age 0, inflight 0", "divide by max(age, 0.001), say"),
        ("most(1 / (1 - weight) + 1)", "1 / (1 - weight)", "inf", "weight 1", "divide by max(1 - weight, 0.001), say"),
        ("least(weight * log(age))", "log(age)", "-inf", "age 0", "write log(max(age, 0.001)), say"),
        ("least(1 / reported('x'))", "1 / reported('x')", "inf", "reported:x 0", "divide by max(reported('x'), 0.001), say"),
        ("least(exp(latency * 1e6))", "exp(latency * 1000000)", "inf", "latency 0.001", "keep its parts in bounds with clamp"),
        ("consistent_hash(fallback=least(1 / inflight))", "1 / inflight", "inf", "inflight 0", "divide by max(inflight, 0.001), say"),
    ],
)
def test_a_score_that_a_new_endpoint_breaks_is_told(balance: str, part: str, value: str, fields: str, remedy: str) -> None:
    assert told(equal(balance)) == [f'"{part}" is {value} {NOTHING.format(fields)}; {remedy}']


def test_a_part_that_breaks_without_harm_to_the_whole_is_told_as_that() -> None:
    assert told(equal("least(min(1 / error_rate, inflight))")) == [
        '"1 / error_rate" is inf for an endpoint that has just joined (error_rate 0); divide by max(error_rate, 0.001), say',
    ]


def test_a_score_is_tried_with_every_weight_of_the_pool() -> None:
    pool = Pool([Endpoint("a:1", weight=1), Endpoint("b:1", weight=5)], balance="least(inflight / (weight - 5))")
    assert told(pool) == [
        f'"inflight / (weight - 5)" is nan {NOTHING.format("inflight 0, weight 5")}; divide by max(weight - 5, 0.001), say'
    ]


@pytest.mark.parametrize(
    ("balance", "warning"),
    [
        ("least(1)", '"least(1)" gives every endpoint the same score; write "random", or score by a field'),
        (
            "least(age, choices=1)",
            '"least(age, choices=1)" draws one endpoint, so that its score is never compared; draw 2 or more, or none',
        ),
    ],
)
def test_a_score_that_decides_nothing_is_told(balance: str, warning: str) -> None:
    assert told(equal(balance)) == [warning]


@pytest.mark.parametrize(
    "balance", ["least((inflight + 1) / max(age, 1))", "least(1 / (age + 1))", "least(-weight)", "least(log(latency))"]
)
def test_a_score_that_is_finite_from_the_start_is_not_complained_of(balance: str) -> None:
    assert told(equal(balance)) == []


ONE = "in every request that comes here, so that all go to one endpoint; hash by what differs"


@pytest.mark.parametrize(
    ("balance", "matches", "warning"),
    [
        (
            "consistent_hash(key='header:Set-Cookie')",
            [{}],
            'no request has the field "set-cookie", so that every pick falls back to weighted_random; name a field that clients send',
        ),
        (
            "consistent_hash(fallback=consistent_hash())",
            [{}],
            'the fallback hashes by "client_ip" too, which is missing whenever it is asked; fall back to another key or policy',
        ),
        ("consistent_hash(key='path')", [{"path": "/a"}], f'"path" is "/a" {ONE}'),
        ("consistent_hash(key='header:host')", [{"host": "a.b", "path": "/a"}, {"host": "a.b"}], f'"header:host" is "a.b" {ONE}'),
        ("consistent_hash(fallback=consistent_hash(key='query:v'))", [{"query": {"v": "1"}}], f'"query:v" is "1" {ONE}'),
    ],
)
def test_a_key_that_never_occurs_or_never_differs_is_told(balance: str, matches: list[dict[str, object]], warning: str) -> None:
    assert told(equal(balance), *matches) == [warning]


@pytest.mark.parametrize(
    ("key", "matches"),
    [
        ("header:x-user", [{"header": {"x-user": "*"}}]),
        ("path", [{"path": "/a/*"}]),
        ("path", [{"path": "~/(a|b)"}]),
        ("path", [{"path": "/a"}, {}]),
        ("path", [{"path": ["/a", "/b"]}]),
        ("query:v", [{"query": {"w": "1"}}]),
        ("cookie:v", [{"header": {"v": "1"}}]),
    ],
)
def test_a_key_that_may_differ_is_not_complained_of(key: str, matches: list[dict[str, object]]) -> None:
    assert told(equal(f"consistent_hash(key='{key}')"), *matches) == []


def test_what_a_proxy_says_of_the_client_is_a_key_where_proxies_are_trusted() -> None:
    pool = equal("consistent_hash(key='header:x-forwarded-for', fallback=random)")
    assert told(pool, trusted_proxies="10.0.0.0/8") == []
    (warning,) = told(pool)
    assert warning.startswith('"x-forwarded-for" is whatever a client writes while trusted_proxies is empty, so that clients choose their')


@pytest.mark.parametrize(
    ("pool", "count"),
    [
        (Pool(["a:1", "b:1"], balance="first_available"), 1),
        (Pool(["a:1"], balance="first_available"), 0),
        (Pool(["a:1", "b:1"], balance="first_available", max_inflight=9), 0),
        (Pool(["a:1", "b:1"], balance="first_available(limit=9)"), 0),
    ],
)
def test_a_pack_that_never_fills_its_first_endpoint_is_told(pool: Pool, count: int) -> None:
    found = told(pool)
    assert len(found) == count
    assert all("without a limit the first endpoint that may serve takes every request" in warning for warning in found)


def test_a_warning_about_a_policy_stands_at_its_line() -> None:
    text = '[gateway]\nlisten = "127.0.0.1:1"\n[pools.app]\nendpoints = ["a:1"]\nbalance = "least(1 / age)"\n'
    (fault,) = warnings(loads(text, "gateway.toml", GatewayConfig))
    assert (fault.place, fault.severity) == ("gateway.toml:5", "warning")
