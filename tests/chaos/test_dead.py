"""Every server is dead, and then one returns."""

from pathlib import Path

import pytest

from .world import Load, bar, configuration, gateway, lost, run_for, servers, told, until_healthy

pytestmark = pytest.mark.e2e

SOON = bar(0.100)


def test_with_all_servers_dead_each_answer_is_clean_and_soon_and_one_that_returns_serves_at_once(folder: Path) -> None:
    with servers(folder) as found, gateway(folder, configuration(found)) as running:
        until_healthy(running, found)
        with Load(running.address, clients=4, pause=0.01) as load:
            run_for(0.5)
            for server in found:
                server.kill()
            dead = run_for(2)
            found[0].start()
            back = run_for(1)
            answers = load.finish()
    gone = lost(answers)
    assert {answer.status for answer in gone} <= {502, 503}, told(gone)
    assert load.slowest(gone) < SOON
    returned = min(answer.end for answer in answers if answer.start > dead and not answer.lost)
    listening = back - 1
    assert load.without_lag(listening, returned) < SOON
    assert [answer for answer in gone if answer.start > listening + SOON] == []
