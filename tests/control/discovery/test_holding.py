"""What is held of a source: each kind of answer has one outcome, however long it goes on."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.control.discovery.answers import Answer, Failed, Found, Nothing
from forebay.control.discovery.holding import LINGER, Holding, Limits

LIMITS = Limits(min_ttl=1, max_ttl=60, grace=60)
GOOD = ("10.0.0.1:80", "10.0.0.2:80")
Held = Holding[str]


def in_force(holding: Held) -> tuple[str, ...]:
    return tuple(holding.in_force)


def held(*items: str, limits: Limits = LIMITS) -> Held:
    """Make one that was answered with these at time 0."""
    holding: Held = Holding(limits)
    holding.ask(0)
    holding.take(Found(items or GOOD, 30), 0)
    return holding


def go_on(holding: Held, answer: Answer[str], until: float) -> float:
    """Have it answered so whenever it asks, until a time; returns the time of the last answer."""
    now = 0.0
    while holding.due <= until:
        now = holding.due
        holding.leave(now)
        holding.ask(now)
        holding.take(answer, now)
    holding.leave(until)
    return now


NO_ANSWER = [Failed("timed out"), Failed("SERVFAIL"), Failed("REFUSED"), Failed("nonsense")]
NONE = [Nothing("NXDOMAIN"), Nothing("no address")]
SHORT, PAST_GRACE, LONG = 45, 200, 7200


@pytest.mark.parametrize("answer", NO_ANSWER, ids=lambda answer: answer.why)
@pytest.mark.parametrize("duration", [SHORT, PAST_GRACE, LONG])
def test_without_an_answer_what_was_good_stays_however_long_and_is_stale(answer: Failed, duration: float) -> None:
    holding = held()
    go_on(holding, answer, duration)
    assert (holding.in_force, holding.state, holding.error) == (GOOD, "stale", answer.why)
    assert holding.age(duration) == duration


@pytest.mark.parametrize("answer", NONE, ids=lambda answer: answer.why)
@pytest.mark.parametrize(("duration", "outcome", "state"), [(SHORT, GOOD, "held"), (PAST_GRACE, (), "empty"), (LONG, (), "empty")])
def test_an_empty_answer_is_believed_once_it_was_given_for_the_grace(
    answer: Nothing, duration: float, outcome: tuple[str, ...], state: str
) -> None:
    holding = held()
    go_on(holding, answer, duration)
    assert (holding.in_force, holding.state, holding.error) == (outcome, state, answer.why)


@pytest.mark.parametrize("answer", NONE, ids=lambda answer: answer.why)
def test_what_leaves_after_an_empty_answer_leaves_at_the_end_of_its_grace_and_not_before(answer: Nothing) -> None:
    holding = held()
    go_on(holding, answer, 89.9)  # asked again at 30, and the grace is a minute
    assert in_force(holding) == GOOD
    assert holding.due == 90
    go_on(holding, answer, 90)
    assert in_force(holding) == GOOD  # the last second
    holding.leave(90 + LINGER)
    assert in_force(holding) == ()


def test_a_silence_within_the_grace_neither_ends_it_nor_lets_anything_leave() -> None:
    holding = held()
    holding.take(Nothing("NXDOMAIN"), 30)
    holding.take(Failed("timed out"), 95)
    assert in_force(holding) == GOOD
    holding.take(Nothing("NXDOMAIN"), 96)
    holding.leave(97)
    assert in_force(holding) == ()


def test_a_good_answer_within_the_grace_ends_it() -> None:
    holding = held()
    holding.take(Nothing("NXDOMAIN"), 30)
    holding.take(Found(GOOD, 30), 60)
    holding.take(Nothing("NXDOMAIN"), 95)
    assert (holding.in_force, holding.state) == (GOOD, "held")


def test_what_comes_back_serves_at_once() -> None:
    holding = held()
    go_on(holding, Nothing("NXDOMAIN"), 200)
    holding.take(Found(GOOD, 30), 201)
    assert (holding.in_force, holding.state, holding.error) == (GOOD, "fresh", None)


def test_the_first_answer_being_none_makes_it_empty_at_once() -> None:
    holding: Held = Holding(LIMITS)
    assert holding.state == "waiting"
    holding.take(Nothing("NXDOMAIN"), 0)
    assert (holding.in_force, holding.state) == ((), "empty")


def test_a_change_adds_the_new_a_second_before_the_old_leaves() -> None:
    holding = held("a")
    holding.take(Found(("b",), 30), 30)
    assert in_force(holding) == ("b", "a")
    assert holding.next == 30 + LINGER
    holding.leave(30 + LINGER)
    assert in_force(holding) == ("b",)


def test_what_returns_while_it_leaves_stays() -> None:
    holding = held("a")
    holding.take(Found(("b",), 1), 30)
    holding.take(Found(("a",), 1), 30.5)
    holding.leave(31.2)
    assert in_force(holding) == ("a", "b")
    holding.leave(31.5)
    assert in_force(holding) == ("a",)


def test_nothing_leaves_while_what_came_instead_is_not_ready() -> None:
    holding = held("a")
    holding.take(Found(("b",), 30), 30)
    holding.leave(40, ready=False)
    assert in_force(holding) == ("b", "a")
    holding.leave(41)
    assert in_force(holding) == ("b",)


FOUR = ("a", "b", "c", "d")


def test_less_than_half_at_once_is_held_and_what_is_new_in_it_serves() -> None:
    holding = held(*FOUR)
    holding.take(Found(("e",), 30), 30)
    assert (holding.in_force, holding.state) == (("e", *FOUR), "held")
    assert holding.error == "it names 1 where it named 4; that is believed after 60 s"
    holding.take(Found(("f",), 30), 60)
    holding.leave(61)
    assert in_force(holding) == ("f", *FOUR)


def test_less_than_half_is_believed_once_it_was_said_for_the_grace() -> None:
    holding = held(*FOUR)
    go_on(holding, Found(("a",), 30), 90)
    holding.leave(91)
    assert (holding.in_force, holding.state) == (("a",), "fresh")


@pytest.mark.parametrize("fewer", [("a", "b"), ("a", "e"), ("a", "b", "c")])
def test_half_and_more_are_believed_at_once(fewer: tuple[str, ...]) -> None:
    holding = held(*FOUR)
    holding.take(Found(fewer, 30), 30)
    holding.leave(31)
    assert (holding.in_force, holding.state) == (fewer, "fresh")


def test_without_a_grace_everything_is_believed_at_once() -> None:
    holding = held(*FOUR, limits=Limits(1, 60, 0))
    holding.take(Found(("a",), 30), 30)
    assert holding.items == ("a",)
    holding.take(Nothing("NXDOMAIN"), 60)
    holding.leave(61)
    assert in_force(holding) == ()


@pytest.mark.parametrize(("ttl", "due"), [(0.0, 1), (5.0, 5), (86400.0, 60), (None, 30)], ids=str)
def test_it_asks_again_after_the_ttl_within_floor_and_ceiling_and_half_a_minute_without_one(ttl: float | None, due: float) -> None:
    holding: Held = Holding(LIMITS)
    holding.take(Found(GOOD, ttl), 0)
    assert holding.due == due


def test_a_failing_look_up_is_repeated_after_half_a_second_and_then_twice_as_long_up_to_thirty() -> None:
    holding: Held = Holding(LIMITS)
    now, waits = 0.0, []
    for _ in range(9):
        holding.take(Failed("timed out"), now)
        waits.append(holding.due - now)
        now = holding.due
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    holding.take(Found(GOOD, 5), now)
    holding.take(Failed("timed out"), now + 5)
    assert holding.due == now + 5.5


def test_a_doubt_has_it_ask_at_once_but_never_more_often_than_the_floor() -> None:
    holding = held()
    holding.doubt(0.2)
    assert holding.due == 1
    holding.doubt(5)
    assert holding.due == 1
    holding.ask(10)
    holding.doubt(10.5)  # the answer on its way may be older than what was seen
    holding.take(Found(GOOD, 30), 10.6)
    assert holding.due == 11
    holding.ask(11)
    holding.take(Found(GOOD, 30), 11.1)
    assert holding.due == 41.1


def test_what_is_watched_asks_only_when_a_grace_ends_and_is_confirmed_until_it_fails() -> None:
    holding: Held = Holding(Limits(1, 60, 60, watched=True))
    holding.take(Found(FOUR), 0)
    assert (holding.due, holding.age(500)) == (inf, 0)
    holding.take(Failed("gone"), 500)
    assert (holding.due, holding.age(530), holding.in_force) == (inf, 30, FOUR)
    holding.take(Nothing("empty"), 600)
    assert (holding.due, holding.state) == (660, "held")


def test_what_an_earlier_process_knew_is_stale_until_the_first_answer() -> None:
    holding: Held = Holding(LIMITS)
    holding.remember(GOOD, -3600)
    assert (holding.in_force, holding.state, holding.age(10)) == (GOOD, "stale", 3610)
    holding.take(Failed("timed out"), 10)
    assert (holding.in_force, holding.state) == (GOOD, "stale")
    holding.take(Found(GOOD, 30), 20)
    assert (holding.state, holding.age(20)) == ("fresh", 0)


ANSWERS = st.one_of(
    st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6, unique=True).map(lambda items: Found(tuple(items), 1.0)),
    st.sampled_from([Nothing("NXDOMAIN"), Failed("timed out")]),
)


@given(st.lists(st.tuples(ANSWERS, st.floats(0.1, 40)), max_size=30))
def test_whatever_is_answered_nothing_that_was_named_last_is_out_of_force_and_nothing_leaves_within_a_second(
    said: list[tuple[Answer[str], float]],
) -> None:
    holding: Held = Holding(LIMITS)
    now = 0.0
    for answer, later in said:
        now += later
        holding.leave(now)
        before = holding.in_force
        holding.take(answer, now)
        assert set(before) <= set(holding.in_force)
        assert not isinstance(answer, Found) or set(answer.items) <= set(holding.in_force)
        assert holding.next > now
