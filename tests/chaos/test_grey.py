"""One of five servers is bad without being dead: many errors, or ten times as slow."""

from pathlib import Path

import pytest

from .world import Answer, Load, bar, configuration, gateway, lost, run_for, servers, told, until_healthy

pytestmark = pytest.mark.e2e

RATE = 200
NOTICED = bar(1.0)
GOOD = 0.999


def grey(folder: Path, mood: str) -> list[Answer]:
    """The answers to requests that came from a second after the fifth server became so on, for ten seconds."""
    with servers(folder, 5) as found, gateway(folder, configuration(found)) as running:
        until_healthy(running, found)
        with Load(running.address, rate=RATE, clients=64) as load:
            run_for(4)
            noticed = found[4].becomes(mood) + NOTICED
            run_for(NOTICED + 8.5)
            answers = load.finish()
    return [answer for answer in answers if answer.start >= noticed]


def test_a_server_with_thirty_per_cent_errors_is_left_out_within_a_second(folder: Path) -> None:
    answers = grey(folder, "errors 0.3")
    assert len(answers) > 8 * RATE
    gone = lost(answers)
    assert len(gone) <= (1 - GOOD) * len(answers), told(gone)


def test_a_server_ten_times_as_slow_is_left_out_within_a_second(folder: Path) -> None:
    answers = grey(folder, "slow 10")
    assert told(lost(answers)) == {}
    share = sum(answer.server == "e" for answer in answers) / len(answers)
    assert share < 0.05
