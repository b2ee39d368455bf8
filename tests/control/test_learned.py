"""What was learned of endpoints goes on in the next run, and what is no such thing harms nothing."""

import json
import logging
from typing import Any

import pytest

from forebay import Pool
from forebay.control import learned
from forebay.control.keep import Kept

from .house import ONE, REFUSED, TWO, House


def failing() -> House:
    house = House()
    house.health.turn()
    house.answers[ONE] = REFUSED
    house.run(6.0)
    assert house.status(ONE) == "down"
    return house


def test_what_was_learned_goes_on_in_another_process(tmp_path: Any) -> None:
    first, second = failing(), House()
    learned.save(first.health, Kept(tmp_path))
    second.wall.now = first.wall.now + 5.0
    learned.load(second.health, Kept(tmp_path), second.wall())
    second.health.turn()
    shown = second.health.standing()["app"].endpoints[ONE]
    assert (shown.status, shown.code) == ("down", "connect_refused")
    assert shown.since >= 5.0
    assert second.told(ONE)["status"] == "down"
    assert second.told(TWO)["status"] == "healthy"
    for house in (first, second):
        house.engine.shutdown()


@pytest.mark.parametrize("name", ["cut short", "another version", "no table", "too old", "of another form"])
def test_what_is_no_such_thing_is_ignored_with_one_line_at_most(name: str, tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    first, second = failing(), House()
    state = first.health.state()
    whole = json.dumps(state)
    written = {
        "cut short": whole[:-20],
        "another version": json.dumps({**state, "version": 2}),
        "no table": "[]",
        "too old": json.dumps({**state, "at": first.wall.now - 601.0}),
        "of another form": json.dumps({**state, "pools": {"app": {ONE: "down"}}}),
    }
    (tmp_path / learned.FILE).write_text(written[name])
    with caplog.at_level(logging.WARNING):
        learned.load(second.health, Kept(tmp_path), first.wall.now)
    second.health.turn()
    assert second.status(ONE) == "unknown"
    ours = [record for record in caplog.records if "ignored" in record.message]
    assert len(ours) == (0 if name == "too old" else 1)
    for house in (first, second):
        house.engine.shutdown()


def test_of_what_was_learned_what_is_no_longer_there_is_nothing() -> None:
    first, second = failing(), House(Pool([TWO, "10.0.0.9:80"], health={"path": "/healthz"}))
    second.health.restore(first.health.state(), 1.0)
    second.health.turn()
    assert list(second.health.standing()["app"].endpoints) == [TWO, "10.0.0.9:80"]
    for house in (first, second):
        house.engine.shutdown()
