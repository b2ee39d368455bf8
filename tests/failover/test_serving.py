"""Who may serve: the rule in Python is the engine's, and tiers neither jump nor stick."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay import _engine
from forebay.failover.rules import MinHealthy
from forebay.failover.serving import Rules, Serving, View, serving
from forebay.failover.status import Status
from forebay.failover.tiers import Memory

MOMENTS = st.one_of(st.none(), st.integers(0, 200), st.integers(0, 200_000))
VIEWS = st.builds(
    View,
    tier=st.sampled_from([0, 0, 0, 1, 1, 2, 5]),
    weight=st.sampled_from([0, 1, 1, 1, 7]),
    status=st.sampled_from(Status),
    until=MOMENTS,
    passed_until=st.one_of(st.none(), MOMENTS),
    fact=st.booleans(),
    trial=st.booleans(),
    last=st.booleans(),
)
RULES = st.builds(
    Rules,
    min_healthy=st.one_of(
        st.integers(1, 5).map(lambda count: MinHealthy(count=count)), st.floats(0.01, 1).map(lambda share: MinHealthy(share=share))
    ),
    automatic=st.booleans(),
    hold_down=st.sampled_from([0, 50, 10_000]),
    max_ejected=st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0]),
    probed=st.booleans(),
    when_all_down=st.sampled_from(["try_all", "fail_fast", "last_healthy", "pool", "respond"]),
)
MEMORIES = st.builds(
    Memory,
    tier=st.one_of(st.none(), st.integers(0, 2)),
    wanted_since=MOMENTS,
    flaps=st.integers(0, 6),
    back_at=MOMENTS,
    failback=st.booleans(),
)


def in_the_engine(endpoints: list[View], rules: Rules, memory: Memory, now: int) -> dict[str, Any]:
    least = rules.min_healthy
    question = {
        "endpoints": [asdict(view) for view in endpoints],
        "rules": {**asdict(rules), "min_healthy": {"count": least.count} if least.count is not None else {"share": least.share}},
        "memory": asdict(memory),
        "now": now,
    }
    return dict(json.loads(_engine.serving(json.dumps(question).encode())))


@given(st.lists(VIEWS, max_size=8), RULES, MEMORIES, st.integers(0, 150_000))
def test_the_rule_is_the_engines(endpoints: list[View], rules: Rules, memory: Memory, now: int) -> None:
    result, after = serving(endpoints, rules, memory, now)
    assert {**asdict(result), "memory": asdict(after)} == {
        key: tuple(value) if isinstance(value, list) else value for key, value in in_the_engine(endpoints, rules, memory, now).items()
    }


@given(st.lists(VIEWS, min_size=1, max_size=8), RULES, MEMORIES, st.integers(0, 150_000))
def test_nobody_disabled_or_without_an_address_is_ever_picked(endpoints: list[View], rules: Rules, memory: Memory, now: int) -> None:
    result, _ = serving(endpoints, rules, memory, now)
    for view, picked in zip(endpoints, result.mask, strict=True):
        ordered = view.status is Status.DISABLED and (view.until is None or view.until > now)
        assert not (picked and (view.status is Status.UNRESOLVED or (ordered and view.passed_until is None) or view.weight == 0))


@given(st.integers(1, 50), st.floats(0, 1), st.data())
def test_judgements_leave_out_no_more_than_their_share_and_never_the_last(members: int, share: float, data: st.DataObject) -> None:
    ejected = data.draw(st.lists(st.booleans(), min_size=members, max_size=members))
    views = [View(status=Status.EJECTED if out else Status.HEALTHY, until=100) for out in ejected]
    views = [View(status=view.status, until=view.until if view.status is Status.EJECTED else None) for view in views]
    result, _ = serving(views, Rules(max_ejected=share), Memory(), 50)
    left_out = members - sum(result.mask)
    assert left_out <= max(1, int(share * members + 1e-9)) * (share > 0)
    assert left_out < members
    assert result.mode == "serving"


def tier_of(able: list[bool], rules: Rules, memory: Memory, now: int) -> tuple[Serving, Memory]:
    return serving([View(tier, status=Status.HEALTHY if up else Status.DOWN) for tier, up in enumerate(able)], rules, memory, now)


@pytest.mark.parametrize("period", range(1, 61))
def test_a_primary_that_flaps_moves_its_pool_no_more_than_a_few_times_an_hour(period: int) -> None:
    memory, moves = Memory(), 0
    for tick in range(2 * 3600):
        up = (tick / 2) % period < period / 2
        result, after = tier_of([up, True], Rules(), memory, tick * 500)
        moves += memory.tier is not None and after.tier != memory.tier
        assert result.mode == "serving"
        assert up or result.tier == 1, "a dead tier serves at no moment"
        memory = after
    assert moves <= 13


@given(st.lists(st.integers(200, 30_000), min_size=1, max_size=80))
def test_a_primary_must_have_been_up_for_the_whole_hold_down_before_it_takes_back(lasts: list[int]) -> None:
    memory, now, up, since = Memory(tier=0), 0, False, 0
    for length in lasts:
        for moment in (now, now + length - 1):
            _, after = tier_of([up, True], Rules(), memory, moment)
            if memory.tier == 1 and after.tier == 0:
                assert up
                assert moment - since >= 10_000
            memory = after
        now, up = now + length, not up
        since = now if up else since


def test_tiers_serve_one_at_a_time_in_their_order() -> None:
    memory = Memory()
    for able, tier in (([True, True, True], 0), ([False, True, True], 1), ([False, False, True], 2)):
        result, memory = tier_of(able, Rules(), memory, 1000)
        assert result.tier == tier
        assert result.mask == tuple(index == tier for index in range(3))


def test_an_order_to_fail_back_is_obeyed_once() -> None:
    rules = Rules(automatic=False)
    _, memory = tier_of([True, True], rules, Memory(tier=1), 0)
    assert tier_of([True, True], rules, memory, 10_000_000)[1].tier == 1
    _, ordered = tier_of([True, True], rules, Memory(tier=1, failback=True), 10)
    assert (ordered.tier, ordered.failback) == (0, False)


@pytest.mark.parametrize(
    ("chosen", "mask"),
    [
        ("try_all", (True, True, False, False)),
        ("last_healthy", (False, True, False, False)),
        ("fail_fast", (False, False, False, False)),
        ("pool", (False, False, False, False)),
        ("respond", (False, False, False, False)),
    ],
)
def test_what_is_done_while_all_are_down(chosen: Any, mask: tuple[bool, ...]) -> None:
    views = [View(status=Status.DOWN), View(status=Status.DOWN, last=True), View(status=Status.DISABLED), View(status=Status.UNRESOLVED)]
    result, _ = serving(views, Rules(when_all_down=chosen), Memory(tier=0), 0)
    assert (result.mode, result.mask) == ("all_down", mask)
