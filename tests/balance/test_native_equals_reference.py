"""Given the same seed, the engine's picks equal the reference's one for one: for every policy, over thousands of pools."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay import _engine
from forebay.balance import reference
from forebay.balance.expression import from_wire
from forebay.types import Malformed

UNSIGNED = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 300), st.integers(2**64 - 300, 2**64 - 1))
COUNT = 12
FIELDS = ("inflight", "weight", "latency", "service_time", "error_rate", "age", "reported_load", "reported:kv_cache")
AWKWARD = [0.0, -0.0, 1.0, 0.5, 3.0, 1e-308, 1e308, math.inf, -math.inf, math.nan]
WEIGHTS = st.one_of(
    st.sampled_from([0.0, 1.0, 2.0, 5.0]),
    st.sampled_from([0.1, 0.3337, 1e-9, 100.0, 1000.0]),
    st.floats(0.0, 50.0).map(lambda weight: round(weight, 2)),
)
STRUCTURAL = [
    {"kind": "round_robin"},
    {"kind": "weighted_round_robin"},
    {"kind": "random"},
    {"kind": "weighted_random"},
    {"kind": "first_available", "limit": None},
    {"kind": "first_available", "limit": 2},
]
DELAY = ["/", ["*", ["+", "inflight", 1.0], "service_time"], "weight"]


@dataclass
class Case:
    """One pool at one moment, and a pick's number."""

    endpoints: list[tuple[str, float]]
    columns: dict[str, list[float]]
    eligible: list[bool]
    seed: int
    turn: int
    key: int | None

    def compare(self, policy: Mapping[str, Any], count: int = COUNT) -> list[int | None]:
        rest = (self.endpoints, self.columns, self.eligible, self.seed, self.turn, count, self.key)
        native = _engine.picks(json.dumps(policy).encode(), *rest)
        assert native == reference.picks(policy, *rest)
        return native


def named(weights: list[float]) -> list[tuple[str, float]]:
    return [(f"10.0.0.{number}:80", weight) for number, weight in enumerate(weights)]


def small(draw: st.DrawFn, endpoints: list[tuple[str, float]]) -> Case:
    """A pool whose every value is drawn; in some many are equal, so that there are ties."""
    size = len(endpoints)
    few = draw(st.booleans())
    inflight = draw(st.lists(st.integers(0, 2 if few else 5), min_size=size, max_size=size))
    values = st.sampled_from([0.001, 0.002]) if few else st.one_of(st.floats(0.0, 10.0), st.sampled_from(AWKWARD))
    columns = {name: draw(st.lists(values, min_size=size, max_size=size)) for name in FIELDS[2:]}
    return Case(
        endpoints,
        {"inflight": [float(count) for count in inflight], **columns},
        draw(st.one_of(st.just([True] * size), st.lists(st.booleans(), min_size=size, max_size=size))),
        seed=draw(UNSIGNED),
        turn=draw(UNSIGNED),
        key=draw(st.none() | UNSIGNED),
    )


@st.composite
def small_cases(draw: st.DrawFn, largest: int = 12) -> Case:
    return small(draw, named(draw(st.lists(WEIGHTS, min_size=1, max_size=largest))))


def large(size: int, turn: int, eligible: Callable[[int], bool]) -> Case:
    """A pool whose values follow from its size."""

    def mixed(number: int, below: int) -> float:
        return float(reference.draw(size, number) % below)

    endpoints = named([1.0 + 2.0 * (number % 2) for number in range(size)])
    columns = {
        "inflight": [mixed(number, 3) for number in range(size)],
        "service_time": [0.001 * (1 + mixed(size + number, 4)) for number in range(size)],
    }
    return Case(endpoints, columns, [eligible(number) for number in range(size)], seed=5, turn=turn, key=turn)


# Pools whose tables are made once: a Maglev table takes Python a while.
POOLS = [named(weights) for weights in ([1.0], [1.0] * 7, [1.0, 0.0, 2.5, 1.0], [0.1, 1000.0], [float(n % 4 + 1) for n in range(12)])]


@st.composite
def hashed_cases(draw: st.DrawFn) -> Case:
    return replace(small(draw, draw(st.sampled_from(POOLS))), seed=draw(st.sampled_from([1, 2**64 - 1])))


@settings(max_examples=1000, deadline=None)
@given(small_cases(), st.sampled_from(STRUCTURAL))
def test_every_structural_policy_picks_as_its_reference(case: Case, policy: Mapping[str, Any]) -> None:
    case.compare(policy)


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(0, 199), max_size=3), UNSIGNED, st.sampled_from(STRUCTURAL))
def test_structural_policies_pick_as_their_reference_where_nearly_nobody_is_eligible(
    able: set[int], turn: int, policy: Mapping[str, Any]
) -> None:
    large(200, turn, able.__contains__).compare(policy, count=100)


@settings(max_examples=800, deadline=None)
@given(hashed_cases(), st.sampled_from(["maglev", "ring", "rendezvous"]), st.sampled_from([None, 1.0, 1.25, 2.0]))
def test_every_hash_picks_as_its_reference(case: Case, table: str, bounded_load: float | None) -> None:
    fallback = {"kind": "weighted_round_robin"}
    policy = {"kind": "consistent_hash", "table": table, "key": "client_ip", "bounded_load": bounded_load, "fallback": fallback}
    case.compare(policy, count=2)


@settings(max_examples=400, deadline=None)
@given(small_cases(largest=6), st.sampled_from(["ring", "rendezvous"]), st.sampled_from([None, 1.25]))
def test_rings_and_bids_equal_their_reference_for_any_weights(case: Case, table: str, bounded_load: float | None) -> None:
    policy = {
        "kind": "consistent_hash",
        "table": table,
        "key": {"header": "x"},
        "bounded_load": bounded_load,
        "fallback": {"kind": "random"},
    }
    case.compare(policy, count=1)


def is_expression(wire: object) -> bool:
    """Constants that give no number are refused, as is what is too deep."""
    try:
        return bool(from_wire(wire).nodes)
    except Malformed:
        return False


OPERATIONS = [
    *((name, 2) for name in ("+", "-", "*", "/", "min", "max", "<", "<=", ">", ">=", "==", "!=")),
    *((name, 1) for name in ("neg", "log", "exp")),
    ("where", 3),
    ("clamp", 3),
]
LEAVES = st.one_of(
    st.sampled_from([*(name for name in FIELDS if ":" not in name)]),
    st.just(["reported", "kv_cache"]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, 1.0, -1.0, 0.5]),
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.sampled_from(OPERATIONS).flatmap(
        lambda operation: st.tuples(*[inner] * operation[1]).map(lambda operands: [operation[0], *operands])
    ),
    max_leaves=10,
).filter(is_expression)
SCORES = st.fixed_dictionaries(
    {
        "kind": st.just("score"),
        "order": st.sampled_from(["least", "most"]),
        "expression": st.one_of(EXPRESSIONS, st.sampled_from(["inflight", DELAY])),
        "choices": st.sampled_from([None, 1, 2, 3, 20]),
        "ties": st.sampled_from(["random", "rotate"]),
    }
)


@settings(max_examples=1500, deadline=None)
@given(small_cases(), SCORES)
def test_every_score_picks_as_its_reference(case: Case, policy: Mapping[str, Any]) -> None:
    case.compare(policy)


@pytest.mark.parametrize("size", [63, 64, 65, 129, 1024, 1025])
@pytest.mark.parametrize("choices", [None, 2])
@settings(max_examples=5, deadline=None)
@given(UNSIGNED, st.sampled_from(["least", "most"]), st.sampled_from([1, 4, 100]))
def test_large_pools_are_scanned_and_sampled_as_the_reference_does(
    size: int, choices: int | None, turn: int, order: str, among: int
) -> None:
    case = large(size, turn, lambda number: number % among == 0)
    case.compare({"kind": "score", "order": order, "expression": DELAY, "choices": choices, "ties": "random"}, count=5)


def test_a_maglev_table_of_many_endpoints_equals_its_reference() -> None:
    policy = {"kind": "consistent_hash", "table": "maglev", "key": "path", "bounded_load": None, "fallback": {"kind": "random"}}
    for turn in range(50):
        large(700, reference.mix64(turn), lambda _: True).compare(policy, count=1)


def test_picks_without_a_key_are_the_fallback_s() -> None:
    policy = {"kind": "consistent_hash", "table": "ring", "key": "path", "bounded_load": None, "fallback": {"kind": "round_robin"}}
    assert Case(named([1.0] * 3), {}, [True] * 3, seed=3, turn=0, key=None).compare(policy, count=4) == [0, 1, 2, 0]


def test_a_field_without_a_column_is_zero_for_everyone() -> None:
    case = Case(named([3.0, 1.0, 2.0]), {}, [True] * 3, seed=3, turn=0, key=None)
    policy = {"kind": "score", "order": "least", "expression": ["+", "weight", ["reported", "x"]], "choices": None, "ties": "random"}
    assert case.compare(policy, count=2) == [1, 1]
