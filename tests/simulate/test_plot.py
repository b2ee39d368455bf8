"""Pictures, and the shares over time that they show."""

from pathlib import Path

import pytest

from forebay.simulate import Deterministic, Oracle, Recorded, Scenario, Server, compare, preset, simulate
from forebay.simulate.plot import plot, share_over_time
from forebay.types import Malformed

from .pickers import by_turns, picking

STARTS = {".png": b"\x89PNG", ".svg": b"<?xml"}


@pytest.mark.parametrize("kind", STARTS)
def test_a_comparison_becomes_a_picture_always_the_same(kind: str, tmp_path: Path) -> None:
    results = compare(preset("unequal"), {"oracle": Oracle, "turns": picking(by_turns)}, requests=2000)
    first, second = tmp_path / f"first{kind}", tmp_path / f"second{kind}"
    plot(results, first)
    plot(results, second)
    assert first.read_bytes().startswith(STARTS[kind])
    if kind == ".svg":
        assert "turns" in first.read_text()
    assert first.read_bytes() == second.read_bytes()


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="no picture") as raised:
        plot({}, tmp_path / "picture.gif")
    assert raised.value.hint == "name a file that ends in .png or .svg"


def test_shares_over_time_are_those_of_each_slice() -> None:
    scenario = Scenario("case", "", (Server(), Server()), Recorded((0.0, 1.0, 2.0, 9.0)), Deterministic(1.0))
    result = simulate(scenario, picking(by_turns), requests=4)
    assert result.seconds == 10.0
    assert share_over_time(result, 2) == [[2 / 3, 1 / 3], [0.0, 1.0]]
