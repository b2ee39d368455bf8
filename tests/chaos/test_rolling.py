"""Three real servers are stopped and started in turn, as a deployment does, under load; Granian with POSTs.

Uvicorn and Gunicorn close connections on which a request has just come, which nobody may send once more if it is a POST.
"""

import importlib.util
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.e2e.programs import Server as Program

from .world import HERE, Gateway, Load, gateway, lost, run_for, told

pytestmark = pytest.mark.e2e

RATE = 500
NAMES = ("a", "b", "c")


def uvicorn(port: int) -> Sequence[str]:
    """One event loop; stops by finishing what it has."""
    quiet = ["--lifespan", "off", "--no-access-log", "--log-level", "warning"]
    return [sys.executable, "-m", "uvicorn", "application:asgi", "--app-dir", str(HERE), "--port", str(port), *quiet]


def gunicorn(port: int) -> Sequence[str]:
    """A worker with threads, and kept connections."""
    worker = ["--worker-class", "gthread", "--threads", "16", "--keep-alive", "75", "--graceful-timeout", "10"]
    return [sys.executable, "-m", "gunicorn", "application:wsgi", "--chdir", str(HERE), "--bind", f"127.0.0.1:{port}", *worker]


def granian(port: int) -> Sequence[str]:
    """A worker process under a parent."""
    quiet = ["--no-access-log", "--log-level", "warning"]
    return [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "asginl",
        "--working-dir",
        str(HERE),
        "application:asgi",
        "--port",
        str(port),
        *quiet,
    ]


def status(running: Gateway, server: Program) -> str:
    """What the gateway takes it for."""
    return str(running.status()["pools"]["app"]["endpoints"][server.address]["status"])


@pytest.mark.parametrize(("kind", "posts"), [(uvicorn, 0.0), (gunicorn, 0.0), (granian, 0.3)])
def test_a_rolling_restart_loses_no_request_and_runs_no_post_twice(
    folder: Path, kind: Callable[[int], Sequence[str]], posts: float
) -> None:
    if importlib.util.find_spec(kind.__name__) is None:
        pytest.skip(f"{kind.__name__} is not installed")
    with ExitStack() as started:
        found = [started.enter_context(Program(name, kind, folder, NAME=name, EFFECTS=str(folder / name))) for name in NAMES]
        text = f"""
[gateway]
listen = "127.0.0.1:0"
access_log = "off"
[pools.app]
endpoints = {[server.address for server in found]}
health = {{ path = "/healthz", interval = "200ms" }}
"""
        running = started.enter_context(gateway(folder, text))
        running.until(lambda: all(status(running, server) == "healthy" for server in found), "not all are healthy")
        with Load(running.address, rate=RATE, clients=64, posts=posts) as load:
            run_for(0.5)
            for server in found:
                server.stop()
                server.start()
                running.until(lambda server=server: status(running, server) == "healthy", "it is not taken back")  # type: ignore[misc]
            run_for(0.5)
            answers = load.finish()
    assert told(lost(answers)) == {}
    assert {answer.server for answer in answers} == set(NAMES)
    begun = Counter(line.split()[1] for name in NAMES for line in (folder / name).read_text().splitlines() if line.startswith("began"))
    assert max(begun.values(), default=1) == 1
