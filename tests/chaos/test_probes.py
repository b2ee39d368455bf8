"""Probes that lie: every one fails, while every request succeeds."""

from pathlib import Path

import pytest

from .world import Load, configuration, gateway, lost, run_for, servers, told, until_healthy

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("status", [500, 503])
def test_failing_probes_take_no_request_from_servers_that_answer(folder: Path, status: int) -> None:
    with servers(folder) as found, gateway(folder, configuration(found)) as running:
        until_healthy(running, found)
        with Load(running.address) as load:
            run_for(1)
            for server in found:
                server.becomes(f"probe {status}")
            run_for(4)
            answers = load.finish()
    gone = lost(answers)
    assert len(gone) <= 0.001 * len(answers), told(gone)
    assert len(answers) > 2000
