"""Operators at work on a gateway under load, in front of real servers: draining loses nothing, and whatever happens is told."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from .load import Load, lost, shares
from .programs import Gateway, Server, ended, gateway, toml, uvicorn

pytestmark = pytest.mark.e2e

NAMES = ("a", "b", "c")
ENOUGH = 300
HEALTH = '[pools.app.health]\npath = "/health"\ninterval = "100ms"\n'


@pytest.fixture
def three(folder: Path) -> Iterator[list[Server]]:
    """Start three servers that take 20 ms."""
    with ExitStack() as started:
        yield [started.enter_context(uvicorn("work:app", folder, name, NAME=name, EFFECTS=str(folder / name))) for name in NAMES]


@pytest.fixture
def running(three: list[Server], folder: Path) -> Iterator[Gateway]:
    with gateway(folder, toml(*(server.address for server in three), more=HEALTH)) as running:
        running.until(lambda: {status(running, server) for server in three} == {"healthy"}, "not all are healthy")
        yield running


def status(running: Gateway, server: Server) -> str:
    return str(running.endpoint(server.address)["status"])


def command(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return ended(["forebay", *arguments], folder)


def events(folder: Path) -> list[dict[str, Any]]:
    return list(json.loads(command(folder, "events", "--json").stdout)["events"])


def told(folder: Path, server: Server) -> list[tuple[str, str, str]]:
    found = [event for event in events(folder) if event["endpoint"] == server.address and event["kind"] == "status"]
    return [(event["from"], event["to"], event["reason"]) for event in found]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_drain_under_load_loses_nothing_and_returns_once_nothing_runs_there(
    three: list[Server], running: Gateway, folder: Path, method: str
) -> None:
    drained = three[0]
    with Load(running.address, method=method) as load:
        running.until_answered(ENOUGH)
        outcome = command(folder, "drain", drained.address, "--reason", "deploy", "--wait")
        empty = time.monotonic()
        assert (outcome.returncode, outcome.stdout) == (0, ""), outcome.stderr
        requests = running.endpoint(drained.address)["requests"]
        running.until_answered(ENOUGH)
        endpoint = running.endpoint(drained.address)
        assert (endpoint["requests"], endpoint["inflight"], endpoint["status"]) == (requests, 0, "draining")
        # It may be restarted now, and comes back.
        drained.kill()
        running.until_answered(ENOUGH)
        drained.start()
        back = command(folder, "undrain", drained.address)
        assert back.returncode == 0, back.stderr
        running.until(lambda: status(running, drained) == "healthy", "it does not come back")
        returned = time.monotonic()
        running.until_answered(ENOUGH)
        answers = load.finish()
    assert lost(answers) == []
    assert set(shares(answers, empty, returned)) >= {"b", "c"}
    assert "a" in shares(answers, returned, answers[-1].end)
    assert ("healthy", "draining", "operator") in told(folder, drained)


def test_a_server_whose_probe_is_answered_503_is_drained_until_it_is_well_again(
    three: list[Server], running: Gateway, folder: Path
) -> None:
    unwell = three[1]
    with Load(running.address) as load:
        running.until_answered(ENOUGH)
        (folder / "unwell-b").touch()
        running.until(lambda: status(running, unwell) == "draining", "it is not drained")
        running.until(lambda: running.endpoint(unwell.address)["inflight"] == 0, "what runs there does not end")
        requests = running.endpoint(unwell.address)["requests"]
        running.until_answered(ENOUGH)
        assert running.endpoint(unwell.address)["requests"] == requests
        (folder / "unwell-b").unlink()
        running.until(lambda: status(running, unwell) == "healthy", "it is not taken back")
        assert lost(load.finish()) == []
    assert told(folder, unwell)[-2:] == [("healthy", "draining", "probe_draining"), ("draining", "healthy", "probe_passed")]


def test_a_dead_server_is_shown_down_with_its_reason_by_everything_that_tells(three: list[Server], running: Gateway, folder: Path) -> None:
    dead = three[2]
    dead.kill()
    running.until(lambda: status(running, dead) == "down", "it is not found dead")
    running.until(lambda: "connect_refused" in running.endpoint(dead.address)["probes"], "its probes do not say why")
    endpoint = running.endpoint(dead.address)
    assert "connect" in endpoint["reason"]
    assert ("healthy", "down", "connect_refused") in told(folder, dead)
    [line] = [each for each in command(folder, "endpoints").stdout.splitlines() if dead.address in each]
    assert "down" in line
    assert endpoint["reason"] in line
    dead.start()
    running.until(lambda: status(running, dead) == "healthy", "it is not taken back")
    assert told(folder, dead)[-1][1] == "healthy"


def test_an_order_is_in_force_again_after_the_gateway_was_killed(three: list[Server], folder: Path) -> None:
    configuration = toml(*(server.address for server in three))
    with gateway(folder, configuration) as running:
        assert command(folder, "disable", three[0].address, "--reason", "broken", "--for", "1h").returncode == 0
        running.kill()
    with gateway(folder, configuration) as running:
        endpoint = running.endpoint(three[0].address)
        assert (endpoint["status"], endpoint["reason"]) == ("disabled", "disabled by an operator: broken")
        with Load(running.address) as load:
            running.until_answered(ENOUGH)
            answers = load.finish()
        assert set(shares(answers, 0, answers[-1].end)) == {"b", "c"}
        assert lost(answers) == []


def test_what_is_followed_comes_as_it_happens(three: list[Server], running: Gateway, folder: Path) -> None:
    from .programs import Program

    with Program(["forebay", "events", "--follow", "--json"], folder) as follower:
        three[0].kill()
        line = follower.line(r'^\{.*"to": "down".*\}$')
        assert json.loads(line[0])["endpoint"] == three[0].address
