"""Nothing is faulty, and some of the work simply takes long: none of it may be cut, repeated or held against a server."""

from pathlib import Path

import pytest

from .world import Load, configuration, effects, gateway, lost, run_for, servers, told, until_healthy

pytestmark = pytest.mark.e2e

LONG, LONGEST = 3.0, 6.0  # seconds; many times what the rest takes


def test_slow_work_is_never_cut_nor_repeated_nor_ejected(folder: Path) -> None:
    with servers(folder) as found, gateway(folder, configuration(found)) as running:
        until_healthy(running, found)
        with (
            Load(running.address, posts=0.5, waits=[[0.01, LONG]]) as load,
            Load(running.address, clients=2, waits=[[1.0, LONGEST]], path="/report", seed=2) as reports,
        ):
            run_for(10)
            answers = load.finish() + reports.finish()
        endpoints = running.status()["pools"]["app"]["endpoints"]
    assert told(lost(answers)) == {}
    assert sum(answer.seconds >= LONG for answer in answers if answer.method == "POST") > 5
    assert sum(answer.seconds >= LONGEST for answer in answers) >= 2
    assert max(effects(found).values()) == 1
    assert {endpoint["status"] for endpoint in endpoints.values()} <= {"healthy", "suspect"}, endpoints
