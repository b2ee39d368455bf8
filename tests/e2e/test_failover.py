"""The main job: real clients, through the gateway, to real servers, with one of them dying."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .load import Answer, Load, lost, shares
from .programs import Gateway, Server, gateway, toml, uvicorn

pytestmark = pytest.mark.e2e

NAMES = ("a", "b", "c")
ENOUGH = 600  # requests, for the shares to show


@pytest.fixture
def three(folder: Path) -> Iterator[list[Server]]:
    """Start three servers that take 20 ms; each notes what it does for a POST in a file of its name."""
    with ExitStack() as started:
        yield [started.enter_context(uvicorn("work:app", folder, name, NAME=name, EFFECTS=str(folder / name))) for name in NAMES]


def until_served_by(running: Gateway, server: Server) -> None:
    """Wait until the gateway counts on a server again."""
    running.until(lambda: running.endpoint(server.address)["status"] == "healthy", f"{server.name} is not taken back")


def test_one_of_three_servers_dies_and_returns_and_nothing_is_lost(three: list[Server], folder: Path) -> None:
    _, dying, _ = three
    with gateway(folder, toml(*(server.address for server in three))) as running, Load(running.address) as load:
        running.until_answered(ENOUGH)
        dying.kill()
        killed = time.monotonic()
        running.until_answered(ENOUGH)
        restarted = time.monotonic()
        dying.start()
        until_served_by(running, dying)
        returned = time.monotonic()
        running.until_answered(ENOUGH)
        answers = load.finish()
        status = running.endpoint(dying.address)
    assert [answer.lost for answer in lost(answers)] == []
    assert len(answers) >= 3 * ENOUGH
    before = shares(answers, 0, killed)
    assert set(before) == set(NAMES)
    meanwhile = shares(answers, killed, restarted)
    assert set(meanwhile) == {"a", "c"}
    assert all(0.4 <= share <= 0.6 for share in meanwhile.values()), meanwhile
    after = shares(answers, returned, answers[-1].end)
    assert all(0.27 <= after[name] <= 0.40 for name in NAMES), after
    assert status["failures"] > 0


def noted(folder: Path, what: str, names: tuple[str, ...] = NAMES) -> Counter[int]:
    """How often the servers have begun (or ended) the work of each id."""
    lines = [line for name in names for line in (folder / name).read_text().splitlines()]
    return Counter(int(line.split()[1]) for line in lines if line.startswith(what))


def records(log: Path) -> dict[int, dict[str, object]]:
    """The record of each request by its id."""
    return {int(record["target"].partition("id=")[2]): record for record in map(json.loads, log.read_text().splitlines())}


def test_a_post_is_never_repeated_and_only_those_on_the_dying_server_are_lost(three: list[Server], folder: Path) -> None:
    _, dying, _ = three
    log = folder / "access.log"
    configuration = toml(*(server.address for server in three), log=str(log))
    with gateway(folder, configuration) as running, Load(running.address, method="POST") as load:
        running.until_answered(ENOUGH)
        dying.kill()
        dead = time.monotonic()
        running.until_answered(ENOUGH)
        answers = load.finish()
        assert running.stop() == 0
    gone = lost(answers)
    began, over = noted(folder, "began"), noted(folder, "ended")
    assert max(began.values()) == 1, "an effect took place twice"
    assert all(over[answer.number] == 1 for answer in answers if not answer.lost)
    # Whatever was sent once the server had died went to another.
    assert [answer for answer in gone if answer.start > dead] == []
    assert on_the_dying(gone, log, dying.address) == gone
    assert len(gone) < 16


def on_the_dying(gone: list[Answer], log: Path, address: str) -> list[Answer]:
    """Those of the lost whose record says that they had been sent to the server that died, and nowhere after it."""
    known = records(log)
    last = {number: record["attempts"][-1] for number, record in known.items() if record["attempts"]}  # type: ignore[index]
    return [each for each in gone if last[each.number]["endpoint"] == address and last[each.number]["phase"] != "connect"]


def test_a_post_goes_elsewhere_when_its_first_server_cannot_be_reached(three: list[Server], folder: Path) -> None:
    first, *_ = three
    first.kill()
    with gateway(folder, toml(*(server.address for server in three))) as running:
        with Load(running.address, method="POST", clients=4) as load:
            running.until_answered(100)
            answers = load.finish()
        assert running.endpoint(first.address)["failures"] >= 1
    assert lost(answers) == []
    assert max(noted(folder, "began", ("b", "c")).values()) == 1


def test_with_every_server_dead_the_answer_names_the_cause_and_one_that_returns_serves(three: list[Server], folder: Path) -> None:
    with gateway(folder, toml(*(server.address for server in three))) as running:
        for server in three:
            server.kill()
        with Load(running.address, clients=2) as load:
            running.until_answered(20)
            back = three[0].start()
            until_served_by(running, back)
            running.until_answered(50)
            answers = load.finish()
    failed = lost(answers)
    assert len(failed) >= 10
    assert all("502" in answer.lost and "connect_refused" in answer.lost for answer in failed), failed[0].lost
    assert {answer.server for answer in answers[-20:]} == {"a"}
