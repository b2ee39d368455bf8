"""A file is read again while requests and WebSockets go on: no error, no connection closed, no memory kept; a bad one changes nothing."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from .load import Load, lost
from .programs import PATIENCE, Gateway, Server, ended, gateway, resident, toml, until, uvicorn

pytestmark = pytest.mark.e2e

RELOADS = int(os.environ.get("FOREBAY_RELOADS", "20"))
SOCKETS = int(os.environ.get("FOREBAY_SOCKETS", "50"))
GROWTH = 1.05


@pytest.fixture
def workers(folder: Path) -> Iterator[list[Server]]:
    with ExitStack() as started:
        yield [started.enter_context(uvicorn("work:app", folder, name, NAME=name)) for name in ("a", "b")]


def write(folder: Path, text: str) -> None:
    (folder / "next.toml").write_text(text)
    (folder / "next.toml").replace(folder / "gateway.toml")


def declared(workers: list[Server], long: Server, number: int) -> str:
    """Every reload changes a limit, a route and the weight of an endpoint."""
    a, b = (server.address for server in workers)
    return f"""
[gateway]
listen = "127.0.0.1:0"
access_log = "off"
[limits]
keepalive_timeout = "{60 + number}s"
[[routes]]
match = {{ path = "/socket" }}
pool = "long"
[[routes]]
name = "fixed"
match = {{ path = "/fixed" }}
respond = {{ body = "{number}" }}
[[routes]]
pool = "app"
[pools.app]
endpoints = ["{a}", {{ address = "{b}", weight = {1 + number % 2} }}]
[pools.long]
endpoints = ["{long.address}"]
"""


def all_answer(sockets: list[ClientConnection]) -> bool:
    for number, each in enumerate(sockets):
        each.send(f"still {number}")
        if each.recv(PATIENCE) != f"still {number}":
            return False
    return True


def reload(folder: Path, *arguments: str) -> str:
    outcome = ended(["forebay", "reload", *arguments], folder)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stderr


def test_reloads_cost_no_request_no_connection_and_no_memory(workers: list[Server], servers: dict[str, Server], folder: Path) -> None:
    long = servers["uvicorn"]
    with gateway(folder, declared(workers, long, 0)) as running, ExitStack() as opened:
        sockets = [opened.enter_context(connect(f"ws://{running.address}/socket")) for _ in range(SOCKETS)]
        load = opened.enter_context(Load(running.address))
        load.until_answered(500)
        write(folder, declared(workers, long, 1))
        reload(folder)  # the first pays for what is imported once
        load.until_answered(500)
        before, accepted = resident(running.pid), running.status()["connections"]["accepted"]
        for number in range(2, RELOADS + 2):
            write(folder, declared(workers, long, number))
            said = reload(folder)
            assert f"changed limits: keepalive_timeout {59 + number}s -> {60 + number}s" in said
            assert httpx.get(f"{running.url}/fixed").text == str(number), "it returns once the new one serves"
            load.until_answered(20)
        status = running.status()
        assert status["connections"]["accepted"] == accepted + RELOADS, "no more than the checks above"
        assert all_answer(sockets)
        assert lost(load.finish()) == []
        assert status["causes"] == {}
        assert status["pools"]["app"]["requests"] > RELOADS * 20, "counters are kept"
        assert resident(running.pid) < before * GROWTH


def test_a_fault_changes_nothing_and_every_one_is_told(workers: list[Server], folder: Path) -> None:
    with gateway(folder, toml(workers[0].address)) as running:
        write(folder, toml(workers[1].address) + '[[routes]]\nmatch = { path = "~[" }\npool = "app"\n[[routes]]\npool = "gone"\n')
        outcome = ended(["forebay", "reload"], folder)
        assert outcome.returncode == 2
        assert "gateway.toml:" in outcome.stderr
        assert 'there is no pool "gone"' in outcome.stderr
        assert httpx.get(running.url).text == "a"
        write(folder, toml(workers[1].address, log="stderr"))
        outcome = ended(["forebay", "reload"], folder)
        assert (outcome.returncode, "gateway.access_log: cannot change while the gateway runs" in outcome.stderr) == (2, True)
        assert "forebay upgrade" in outcome.stderr
        assert (httpx.get(running.url).text, running.status()["snapshot"]) == ("a", 1)


def test_a_dry_run_says_what_would_change_and_changes_nothing(workers: list[Server], folder: Path) -> None:
    a, b = (server.address for server in workers)
    with gateway(folder, toml(a)) as running:
        write(folder, toml(b))
        said = reload(folder, "--dry-run")
        assert said.splitlines() == [f"removed endpoint app/{a}", f"added endpoint app/{b}", "nothing has changed: this was a dry run"]
        assert httpx.get(running.url).text == "a"
        (folder / "other.toml").write_text(toml(b))
        assert f"added endpoint app/{b}" in reload(folder, "other.toml")
        assert httpx.get(running.url).text == "b"


def test_a_rollback_serves_the_one_before_and_a_file_at_fault_starts_the_last_good_one(workers: list[Server], folder: Path) -> None:
    a, b = (server.address for server in workers)
    with gateway(folder, toml(a)) as running:
        write(folder, toml(b))
        reload(folder)
        assert httpx.get(running.url).text == "b"
        assert ended(["forebay", "rollback"], folder).returncode == 0
        assert httpx.get(running.url).text == "a"
        kept = json.loads(ended(["forebay", "rollback", "--list", "--json"], folder).stdout)["configurations"]
        assert [(each["number"], each["current"]) for each in kept] == [(1, True), (2, False)]
        outcome = ended(["forebay", "rollback"], folder)
        assert (outcome.returncode, "no configuration served before this one" in outcome.stderr) == (2, True)
        running.stop()
        write(folder, "[gateway\n")
        outcome = ended(["forebay", "run", "gateway.toml"], folder)
        assert (outcome.returncode, "--last-good` starts the last configuration that served" in outcome.stderr) == (2, True)
    with Gateway(folder, "gateway.toml", "--last-good") as running:
        assert httpx.get(running.url).text == "a"
        assert "gateway.toml is at fault: starting configuration 1" in running.said


def test_hangup_and_watching_read_the_file_again(workers: list[Server], folder: Path) -> None:
    a, b = (server.address for server in workers)
    (folder / "gateway.toml").write_text(toml(a))
    with Gateway(folder, "gateway.toml", "--watch") as running:
        write(folder, toml(b))
        running.line("reload of gateway.toml: serves")
        assert httpx.get(running.url).text == "b"
        write(folder, "[gateway\n")
        running.line("nothing was reloaded, and the last good configuration goes on serving")
        running.line(r"  .*gateway.toml:1: not TOML")
        assert httpx.get(running.url).text == "b"
    (folder / "gateway.toml").write_text(toml(a))
    with Gateway(folder, "gateway.toml") as running:
        write(folder, toml(b))
        running.signal(signal.SIGHUP)
        running.line("reload of gateway.toml: serves")
        assert httpx.get(running.url).text == "b"


def test_a_module_is_executed_again_and_its_old_self_stays_where_the_new_one_is_at_fault(workers: list[Server], folder: Path) -> None:
    module = 'from forebay import Gateway, Pool\ngateway = Gateway(listen="127.0.0.1:0", access_log="off", pools={{"app": Pool(["{}"])}})\n'
    a, b = (server.address for server in workers)
    (folder / "site_gateway.py").write_text(module.format(a))
    with Gateway(folder, "site_gateway:gateway") as running:
        (folder / "site_gateway.py").write_text(module.format(b))
        reload(folder)
        assert httpx.get(running.url).text == "b"
        (folder / "site_gateway.py").write_text("raise ValueError('no luck')\n")
        outcome = ended(["forebay", "reload"], folder)
        assert (outcome.returncode, "ValueError: no luck" in outcome.stderr, "site_gateway.py:1" in outcome.stderr) == (2, True, True)
        until(lambda: httpx.get(running.url).text == "b", "it does not serve")
