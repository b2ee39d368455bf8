"""Servers that close idle connections just when the next request comes."""

from pathlib import Path

import pytest

from .world import Load, configuration, effects, gateway, lost, run_for, servers, told, until_healthy

pytestmark = pytest.mark.e2e

IDLE, WORK = 0.200, 0.005
CLIENTS = 64


@pytest.mark.parametrize("gap", [-0.004, -0.001, 0.001])
def test_posts_that_meet_a_closing_connection_are_neither_lost_nor_run_twice(folder: Path, gap: float) -> None:
    with servers(folder, work=WORK, idle=IDLE) as found, gateway(folder, configuration(found)) as running:
        until_healthy(running, found)
        with Load(running.address, clients=CLIENTS, posts=1.0, beat=IDLE + WORK + gap) as load:
            run_for(5)
            answers = load.finish()
    assert told(lost(answers)) == {}
    assert len(answers) > 15 * CLIENTS
    assert max(effects(found).values()) == 1
