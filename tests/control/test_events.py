"""What has happened is kept in order, logged once, and told to who watches."""

import logging
from itertools import pairwise

import pytest

from forebay.control.events import Events
from forebay.testing import FakeClock


def events(kept: int = 4) -> Events:
    return Events(FakeClock(1000.0), kept)


def test_they_are_numbered_in_order_and_the_oldest_go_first() -> None:
    list_of = events(kept=3)
    for number in range(5):
        list_of.note("status", f"event {number}")
    assert [event.seq for event in list_of.since()] == [3, 4, 5]
    assert list_of.last == 5
    assert all(before.seq + 1 == after.seq for before, after in pairwise(list_of.since()))


@pytest.mark.parametrize(("since", "limit", "expected"), [(0, 10, [2, 3, 4, 5]), (3, 10, [4, 5]), (2, 1, [3]), (5, 10, []), (99, 10, [])])
def test_a_reader_gets_those_that_it_does_not_have(since: int, limit: int, expected: list[int]) -> None:
    list_of = events()
    for number in range(5):
        list_of.note("status", f"event {number}")
    assert [event.seq for event in list_of.since(since, limit)] == expected


def test_what_is_told_late_has_the_time_at_which_it_happened() -> None:
    assert events().note("status", "late", age=2.5).at == 997.5


def test_its_json_says_from_and_to() -> None:
    event = events().note("status", "2 probes failed", pool="app", endpoint="a", change=("healthy", "down"), reason="probe_failed")
    assert event.json() == {
        "seq": 1, "at": 1000.0, "kind": "status", "pool": "app", "endpoint": "a", "from": "healthy", "to": "down", "reason": "probe_failed",
        "text": "2 probes failed",
    }  # fmt: skip


def test_each_is_one_plain_line_of_the_log_and_grave_ones_are_warnings(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "forebay.health"):
        list_of = events()
        list_of.note("status", "2 probes failed", pool="app", endpoint="10.0.0.1:80", change=("healthy", "down"))
        list_of.note("reload", "revision 4 serves")
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "app/10.0.0.1:80: healthy -> down: 2 probes failed"),
        ("INFO", "revision 4 serves"),
    ]


def test_they_are_counted_by_kind_those_no_longer_kept_included() -> None:
    list_of = events(kept=1)
    list_of.note("status", "one")
    list_of.note("status", "two")
    list_of.note("hold", "three")
    assert list_of.counts == {"status": 2, "hold": 1}


def test_who_watches_is_told_of_each_until_it_ends_that_and_at_the_close() -> None:
    list_of, told = events(), []
    end = list_of.watch(lambda: told.append(list_of.last))
    list_of.note("status", "one")
    list_of.close()
    end()
    list_of.note("status", "two")
    assert told == [1, 1]
