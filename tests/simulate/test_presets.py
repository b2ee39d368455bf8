"""Presets: each runs, comes at its load, and says what it is."""

import pytest

from forebay.simulate import PRESETS, Bursts, Oracle, Poisson, preset, simulate
from forebay.types import Malformed


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_runs(name: str) -> None:
    scenario = preset(name)
    result = simulate(scenario, Oracle, requests=500)
    assert scenario.name == result.scenario == name
    assert scenario.meaning
    assert result.requests == 500
    assert result.p50 > 0.0


@pytest.mark.parametrize("name", ["equal", "unequal", "workers", "mixture", "bursts", "log-normal", "heavy-tail"])
def test_a_load_is_a_part_of_what_the_servers_can_do(name: str) -> None:
    scenario = preset(name, load=0.5)
    assert isinstance(scenario.arrivals, Poisson | Bursts)
    assert scenario.arrivals.rate * scenario.work.mean == pytest.approx(0.5 * scenario.capacity, rel=0.01)


def test_a_load_of_streams_is_a_part_of_the_places() -> None:
    scenario = preset("streams-equal", load=0.5)
    assert scenario.body is not None
    assert isinstance(scenario.arrivals, Poisson)
    assert scenario.arrivals.rate * (scenario.work.mean + scenario.body.mean) == pytest.approx(0.5 * 640)


def test_an_unknown_preset_is_answered_by_the_nearest() -> None:
    with pytest.raises(Malformed, match='no preset "unequl"') as raised:
        preset("unequl")
    assert raised.value.hint == 'did you mean "unequal"?'


def test_a_load_of_nothing_is_refused() -> None:
    with pytest.raises(Malformed, match="the load is 0"):
        preset("equal", load=0.0)
