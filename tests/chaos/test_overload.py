"""Every server fails: repeating must not make it worse."""

from pathlib import Path

import pytest

from .world import Load, configuration, gateway, run_for, servers, until_healthy

pytestmark = pytest.mark.e2e

RATE = 500
BUCKET, REFILL, RATIO = 100, 3, 0.2


def test_with_all_servers_failing_attempts_stay_within_the_budget(folder: Path) -> None:
    with servers(folder) as found, gateway(folder, configuration(found)) as running:
        until_healthy(running, found)
        for server in found:
            server.becomes("fail")
        with Load(running.address, rate=RATE, clients=64) as load:
            run_for(4)
            answers = load.finish()
        attempts = sum(server.asked() for server in found)
    assert len(answers) > 3 * RATE
    assert {answer.status for answer in answers} == {503}
    seconds = answers[-1].end - answers[0].start
    assert attempts <= (1 + RATIO) * len(answers) + BUCKET + REFILL * seconds
