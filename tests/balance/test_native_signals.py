"""Given the same events, what the engine learns equals what the reference learns, number for number."""

import json
import random
from collections.abc import Iterable
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay import _engine
from forebay.balance.reference.signals import NEUTRAL, REFRESH, Signals

METRICS = ["kv_cache", "queue"]
TOLD = [*METRICS, "other", "inflight"]

Columns: TypeAlias = dict[str, list[float]]


class Event(NamedTuple):
    name: str
    arguments: Any


def native(count: int, events: Iterable[Event]) -> list[Columns]:
    shown: list[Columns] = json.loads(_engine.signals(count, METRICS, json.dumps([{name: what} for name, what in events]).encode()))
    return shown


def reference(count: int, events: Iterable[Event]) -> list[Columns]:
    signals = Signals(count)
    shown = []
    for name, what in events:
        match name:
            case "picked" | "failed":
                getattr(signals, name)(what)
            case "answered":
                slot, latency, inflight, ok = what
                signals.answered(slot, latency, inflight, ok=ok)
            case "report":
                signals.report(*what)
            case "joined" | "refresh":
                getattr(signals, name)(*what)
                now = what[1] if name == "joined" else what[0]
                shown.append(of_known_metrics(signals.columns(now), count))
    return shown


def of_known_metrics(columns: Columns, count: int) -> Columns:
    """The engine keeps the metrics that a policy reads, and has 0 for one that nobody ever reported."""
    zeros = {f"reported:{name}": [0.0] * count for name in METRICS}
    return zeros | {name: column for name, column in columns.items() if name in zeros or not name.startswith("reported:")}


def compare(count: int, events: list[Event]) -> list[Columns]:
    expected = reference(count, events)
    found = native(count, events)
    assert len(found) == len(expected)
    for number, (mine, theirs) in enumerate(zip(found, expected, strict=True)):
        assert mine == theirs, f"after {number} columns"
    return found


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[Event]]:
    count = draw(st.integers(1, 5))
    slots = st.integers(0, count - 1)
    inflights = st.one_of(st.integers(0, 4), st.integers(0, 2**32 - 1))
    latencies = st.one_of(st.sampled_from([0.0, 1e-9, 0.01, 0.02]), st.floats(0.0, 1e6))
    numbers = st.floats(-1e6, 1e6)
    kinds = st.sampled_from(["picked", "answered", "answered", "answered", "failed", "report", "joined", "refresh", "refresh"])
    names = draw(st.lists(kinds, max_size=80))
    steps = draw(st.lists(st.one_of(st.just(0.125), st.floats(0.101, 60.0)), min_size=len(names), max_size=len(names)))
    events = []
    for name, now in zip(names, accumulate(steps), strict=True):
        what: Any = {
            "picked": slots,
            "failed": slots,
            "answered": st.tuples(slots, latencies, inflights.map(lambda number: max(1, number)), st.booleans()),
            "report": st.tuples(slots, st.just(now), numbers, st.dictionaries(st.sampled_from(TOLD), numbers), inflights),
            "joined": st.tuples(slots, st.just(now)),
            "refresh": st.tuples(st.just(now), st.lists(inflights, min_size=count, max_size=count)),
        }[name]
        events.append(Event(name, draw(what)))
    return count, events


@settings(max_examples=1000, deadline=None)
@given(histories())
def test_whatever_happens_the_engine_learns_what_the_reference_learns(history: tuple[int, list[Event]]) -> None:
    compare(*history)


def traffic(count: int, seconds: float, seed: int) -> list[Event]:
    """A pool at work: servers of different speed, one that fails, one that nobody asks, some that report, some that recover."""
    chance = random.Random(seed)
    speeds = [chance.choice([1.0, 1.0, 1.0, 4.0]) for _ in range(count)]
    events, now = [], 0.0
    while now < seconds:
        now += REFRESH * chance.uniform(1.01, 1.3)
        inflight = [chance.randrange(5) for _ in range(count - 1)] + [0]
        for _ in range(chance.choice([3, 30, 700])):
            slot = chance.randrange(max(1, count - 1))
            events.append(Event("picked", slot))
            if slot == 0 and chance.random() < 0.3:
                events.append(Event("failed", slot))
            else:
                latency = chance.expovariate(1.0) * 0.01 * speeds[slot]
                events.append(Event("answered", (slot, latency, inflight[slot] + 1, chance.random() > 0.01)))
        for slot in range(0, count, 3):
            if chance.random() < 0.02:
                metrics = {name: chance.random() for name in METRICS if chance.random() < 0.7} | {"inflight": 9 * chance.random()}
                events.append(Event("report", (slot, now, chance.random(), metrics, inflight[slot])))
        if chance.random() < 0.02:
            events.append(Event("joined", (chance.randrange(count), now)))
        events.append(Event("refresh", (now, inflight)))
    return events


@pytest.mark.parametrize(("count", "seed"), [(1, 1), (2, 2), (10, 3), (11, 4), (150, 5)])
def test_of_a_pool_at_work_they_learn_the_same(count: int, seed: int) -> None:
    found = compare(count, traffic(count, 30.0, seed))
    slowest = max(max(columns["service_time"]) / min(columns["service_time"]) for columns in found)
    assert slowest > 2.0 or count < 3, "the case shows differences at all"


def test_before_anything_is_known_times_are_neutral() -> None:
    (shown,) = native(3, [Event("refresh", (1.0, [0, 0, 0]))])
    assert shown["service_time"] == shown["latency"] == [NEUTRAL] * 3
    assert shown["age"] == [1.0] * 3


def test_columns_stand_still_for_a_tenth_of_a_second() -> None:
    shown = native(1, [Event("answered", (0, 0.5, 1, True)), *(Event("refresh", (now, [0])) for now in (0.05, 0.0999, 0.1, 0.11))])
    assert [columns["latency"][0] == NEUTRAL for columns in shown] == [True, True, False, False]


@pytest.mark.parametrize("events", [b"[", b'{"picked": 0}', b'[{"vanished": 0}]', b'[{"picked": 2}]', b'[{"failed": -1}]'])
def test_events_that_make_no_sense_are_refused(events: bytes) -> None:
    with pytest.raises(_engine.EngineError):
        _engine.signals(2, [], events)
