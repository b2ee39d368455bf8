"""Each probability against picks: of the reference, and of the engine, which are many more."""

import importlib
import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from forebay.balance import POLICIES, Policy, parse, reference
from forebay.balance.reference import draw
from forebay.model import State, pick_probability

Picks = Callable[..., list[int | None]]


class Source(NamedTuple):
    """Who picks, how often for a policy that looks at no key, and for one that does (each key is a call of its own)."""

    picks: Picks
    number: int
    keys: int


def of_engine(policy: dict[str, Any], *rest: Any) -> list[int | None]:
    picks: Picks = importlib.import_module("forebay._engine").picks
    return picks(json.dumps(policy).encode(), *rest)


SOURCES = {"reference": Source(reference.picks, 10_000, 1_000)}
if hasattr(importlib.import_module("forebay._engine"), "picks"):
    SOURCES["engine"] = Source(of_engine, 100_000, 2_000)

STATES = {
    "all": State(
        weight=[1, 2, 3, 1, 1],
        inflight=[2, 0, 5, 0, 1],
        latency=[0.02, 0.01, 0.08, 0.01, 0.02],
        service_time=[0.01, 0.03, 0.02, 0.015, 0.01],
        reported_load=[0.1, 0.6, 0.3, 0.9, 0.1],
    ),
    "some": State(
        weight=[0.5, 2, 0, 1.5, 1, 3],
        inflight=[1, 4, 0, 2, 1, 0],
        latency=[0.02, 0.01, 0.08, 0.01, 0.02, 0.001],
        eligible=[True, True, True, True, True, False],
    ),
}
WRITTEN = (
    "least(inflight)",
    "least(inflight, ties='rotate')",
    "least(inflight, choices=3)",
    "most(latency, choices=2, ties='rotate')",
    "least(1 / inflight, choices=4)",
    "power_of_two(latency)",
    "first_available(limit=1)",
)
UNKEYED = [*(name for name in POLICIES if name not in {"least", "most", "python", "consistent_hash"}), *WRITTEN]
KEYED = [f"consistent_hash(table='{table}'{bound})" for table in ("maglev", "ring", "rendezvous") for bound in ("", ", bounded_load=1.25")]


def shares(counts: Counter[int | None], expected: Sequence[float]) -> None:
    """Fails where counts differ from what is expected by more than chance: nothing where nothing should be, else chi-square's p > 0.01."""
    total = sum(counts.values())
    found = [counts[index] for index in range(len(expected))]
    assert sum(found) == total, "nobody was picked"
    assert not any(count for count, share in zip(found, expected, strict=True) if not share)
    # Chi-square wants more than 5 of each; what should come less often than that has room for 10 more.
    likely = [index for index, share in enumerate(expected) if share * total > 5]
    assert sum(found[index] for index in likely) >= sum(expected[index] for index in likely) * total - 10
    freedom = len(likely) - 1
    if not freedom:
        return
    square = sum((found[index] - expected[index] * total) ** 2 / (expected[index] * total) for index in likely)
    # Wilson and Hilferty: the cube root of chi-square over its freedom is nearly normal; 2.326 deviations have p = 0.01.
    spread = 2 / (9 * freedom)
    assert ((square / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread) < 2.326, (found, [share * total for share in expected])


def endpoints(state: State) -> list[tuple[str, float]]:
    return [(f"10.0.0.{index}:80", weight) for index, weight in enumerate(state.weight)]


def columns(state: State) -> dict[str, list[float]]:
    names = ("inflight", "weight", "latency", "service_time", "error_rate", "age", "reported_load")
    return {name: list(state.column(name)) for name in names}


def picked(source: Source, policy: Policy, state: State) -> Counter[int | None]:
    able = list(state.eligible) or [True] * len(state)
    return Counter(source.picks(policy.spec, endpoints(state), columns(state), able, 11, 0, source.number, None))


def picked_by_key(source: Source, policy: Policy, state: State) -> Counter[int | None]:
    able = list(state.eligible) or [True] * len(state)
    found: Counter[int | None] = Counter()
    for number in range(source.keys):
        # The shares of a ring are those over all seeds; the other tables have theirs for each, and are slow to make.
        seed = number if policy.spec["table"] == "ring" else 11
        found.update(source.picks(policy.spec, endpoints(state), columns(state), able, seed, number, 1, draw(5, number)))
    return found


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("text", UNKEYED)
def test_picks_come_as_often_as_the_formula_says(text: str, state: str, source: str) -> None:
    policy = parse(text)
    shares(picked(SOURCES[source], policy, STATES[state]), pick_probability(policy, STATES[state]).tolist())


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("text", KEYED)
def test_keys_go_to_each_as_often_as_the_formula_says(text: str, state: str, source: str) -> None:
    policy = parse(text)
    shares(picked_by_key(SOURCES[source], policy, STATES[state]), pick_probability(policy, STATES[state]).tolist())


def test_the_comparison_itself_tells_a_wrong_formula() -> None:
    counts = Counter(np.random.default_rng(1).choice(3, size=10_000, p=[0.5, 0.3, 0.2]).tolist())
    shares(counts, [0.5, 0.3, 0.2])
    for wrong in ([0.48, 0.32, 0.2], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0]):
        with pytest.raises(AssertionError):
            shares(counts, wrong)


def test_without_anyone_to_pick_nobody_is_picked() -> None:
    for source in SOURCES.values():
        assert source.picks(parse("random").spec, [("a", 0.0), ("b", 1.0)], {}, [True, False], 1, 0, 3, None) == [None] * 3
