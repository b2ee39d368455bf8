"""The wheel gives each thing once, never before its time and at most a slice after it."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from forebay.control.wheel import SLICE, Wheel


@given(st.lists(st.floats(0, 10), max_size=40), st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_each_is_taken_once_in_time_and_never_early(dues: list[float], steps: list[float]) -> None:
    wheel: Wheel[int] = Wheel()
    for number, due in enumerate(dues):
        wheel.put(number, due)
    now, taken, before = 0.0, [], 0.0
    for step in [*steps, 11.0]:
        before, now = now, now + step
        for number in wheel.take(now):
            assert before - SLICE <= dues[number] <= now
            taken.append(number)
    assert sorted(taken) == list(range(len(dues)))
    assert wheel.due == inf


def test_it_says_when_the_next_is_due() -> None:
    wheel: Wheel[str] = Wheel()
    wheel.put("later", 5.0)
    wheel.put("sooner", 1.0)
    assert 1.0 <= wheel.due <= 1.0 + SLICE + 1e-9
    assert wheel.take(wheel.due) == ["sooner"]
