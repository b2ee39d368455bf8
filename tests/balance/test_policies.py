"""The catalogue: values that print, compare and travel, each with its one line."""

import copy
import json
import pickle
from collections.abc import Callable

import pytest

from forebay import balance
from forebay import endpoint as e
from forebay.balance import DEFAULT, FIELDS, FRESH, POLICIES, Policy, parse, policy_of
from forebay.balance.catalogue import entries, entry, page
from forebay.types import Malformed

BARE = sorted(set(POLICIES) - {"least", "most", "python"})
SCORES = {
    "least_connections": "least((inflight + 1) / weight)",
    "least_response_time": "least((inflight + 1) * latency / weight)",
    "longest_response_time": "most(latency * weight)",
    "least_busy": "least(max(reported_load, inflight / (inflight + weight)))",
    "shortest_expected_delay": "least((inflight + 1) * service_time / weight)",
    "peak_ewma": "least((inflight + 1) * latency / weight, choices=2)",
    "power_of_two": "least((inflight + 1) / weight, choices=2)",
}


@pytest.mark.parametrize(("name", "line"), SCORES.items())
def test_a_score_policy_is_the_line_that_the_catalogue_says(name: str, line: str) -> None:
    assert parse(name).spec == parse(line).spec
    assert entry(name).score == line
    assert parse(name) != parse(line), "each prints as it was written"


@pytest.mark.parametrize("name", SCORES)
def test_the_formula_in_words_is_the_expression_that_runs(name: str) -> None:
    expression = POLICIES[name]().expression
    assert expression is not None
    assert name == "power_of_two" or str(expression) in entry(name).formula


@pytest.mark.parametrize("name", SCORES)
def test_a_score_of_the_catalogue_is_finite_for_a_new_endpoint(name: str) -> None:
    expression = POLICIES[name]().expression
    assert expression is not None
    assert 0 <= expression.value({**FRESH, "weight": 1.0}) < float("inf")


@pytest.mark.parametrize("name", BARE)
def test_a_policy_is_an_immutable_value(name: str) -> None:
    policy = POLICIES[name]()
    assert policy == POLICIES[name]()
    assert hash(policy) == hash(POLICIES[name]())
    assert {policy: 1}[parse(name)] == 1
    assert str(policy) == repr(policy) == name
    assert policy != balance.least(e.age)
    for twin in (pickle.loads(pickle.dumps(policy)), copy.deepcopy(policy)):  # noqa: S301 - made here
        assert twin == policy
        assert twin.spec == policy.spec
        assert twin.fallback == policy.fallback
    with pytest.raises(AttributeError):
        policy.name = "x"  # type: ignore[misc]
    policy.spec["kind"] = "x"
    assert policy.spec["kind"] != "x"


def test_the_engine_is_told_what_each_kind_holds() -> None:
    assert [POLICIES[name]().spec for name in ("round_robin", "weighted_round_robin", "random", "weighted_random")] == [
        {"kind": "round_robin"},
        {"kind": "weighted_round_robin"},
        {"kind": "random"},
        {"kind": "weighted_random"},
    ]
    assert balance.first_available().spec == {"kind": "first_available", "limit": None}
    assert balance.most(e.age, choices=3, ties="rotate").spec == {
        "kind": "score",
        "order": "most",
        "expression": "age",
        "choices": 3,
        "ties": "rotate",
    }
    assert balance.consistent_hash(key="query:q", bounded_load=2, fallback=balance.first_available(limit=3)).spec == {
        "kind": "consistent_hash",
        "table": "maglev",
        "key": {"query": "q"},
        "bounded_load": 2.0,
        "fallback": {"kind": "first_available", "limit": 3},
    }
    assert balance.python("a:b", budget="5ms", fallback=balance.random).spec == {
        "kind": "python",
        "callable": "a:b",
        "budget": 0.005,
        "fallback": {"kind": "random"},
    }
    for name in BARE:
        assert json.loads(POLICIES[name]().encoded) == POLICIES[name]().spec


@pytest.mark.parametrize(
    ("key", "printed"),
    [
        ("client_ip", "client_ip"),
        ("path", "path"),
        ("header:X-User", "header:x-user"),
        ("cookie:SID", "cookie:SID"),
        ("query:a b", "query:a b"),
    ],
)
def test_a_key_is_kept_in_its_one_form(key: str, printed: str) -> None:
    assert balance.consistent_hash(key=key).arguments["key"] == printed


@pytest.mark.parametrize(
    "make",
    [
        lambda: balance.consistent_hash(key="hedaer:x"),
        lambda: balance.consistent_hash(key="header:"),
        lambda: balance.consistent_hash(key="header"),
        lambda: balance.consistent_hash(key="header:a b"),
        lambda: balance.consistent_hash(key="cookie:a=b"),
        lambda: balance.consistent_hash(key="cookie:a;b"),
        lambda: balance.consistent_hash(key="client_ip:x"),
        lambda: balance.consistent_hash(key=3),  # type: ignore[arg-type]
        lambda: balance.consistent_hash(table="maglef"),  # type: ignore[arg-type]
        lambda: balance.consistent_hash(bounded_load=0.9),
        lambda: balance.consistent_hash(bounded_load=float("nan")),
        lambda: balance.consistent_hash(bounded_load="2"),  # type: ignore[arg-type]
        lambda: balance.consistent_hash(fallback=balance.python("a:b")),
        lambda: balance.consistent_hash(fallback="random"),  # type: ignore[arg-type]
        lambda: balance.least(balance.random),  # type: ignore[arg-type]
        lambda: balance.least("age"),  # type: ignore[arg-type]
        lambda: balance.least(e.age, ties="first"),  # type: ignore[arg-type]
        lambda: balance.least(e.age, choices=65),
        lambda: balance.least(e.age, choices=True),
        lambda: balance.least(e.age, choices=2.0),  # type: ignore[arg-type]
        lambda: balance.first_available(limit=0),
        lambda: balance.python("a:b", budget=0),
        lambda: balance.python("a:b", budget="2s"),
        lambda: balance.python("a.b"),
        lambda: balance.python(3),  # type: ignore[arg-type]
        lambda: policy_of("random"),
        lambda: policy_of(e.age),
        lambda: policy_of(balance.least),
        lambda: policy_of(lambda *given: given[0]),
    ],
)
def test_what_makes_no_policy_is_refused(make: Callable[[], Policy]) -> None:
    with pytest.raises(Malformed):
        make()


def test_fallbacks_end() -> None:
    policy = balance.random()
    for _ in range(3):
        policy = balance.consistent_hash(fallback=policy)
    with pytest.raises(Malformed, match="more than 3 fallbacks"):
        balance.consistent_hash(fallback=policy)


def test_every_policy_says_when_to_use_it_and_when_not() -> None:
    assert DEFAULT in POLICIES
    for each in entries():
        assert all((each.meaning, each.formula, each.source, each.use, each.avoid)), each.name
        assert each.meaning.endswith(".")
        assert set(each.arguments) == {argument.partition("=")[0] for argument in arguments(each.usage)} or each.name == "power_of_two"


def arguments(usage: str) -> list[str]:
    inside = usage.partition("(")[2].removesuffix(")")
    return inside.split(", ") if inside else []


def test_the_page_has_every_policy_field_and_function() -> None:
    text = page()
    for name in POLICIES:
        assert f"\n## `{name}`\n" in text
    for name in FIELDS:
        assert f"| `{name}` |" in text
    for name in balance.FUNCTIONS:
        assert f"| `{name}(" in text
