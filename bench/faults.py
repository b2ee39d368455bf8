"""Servers that fail on command, clients that lose what fails, and proxies in front of them, for the rows of failover.

Servers and clients are the scripts of tests/chaos, which say how they are talked to. Rivals run twice: as they come, with no more than
their manuals' first example says, and tuned for failing servers as well as their options allow.
"""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.paths import LOAD_CORE, PROXY_CORE, ROOT, TEMPLATES, BenchError
from bench.peers import fetch, free_port
from bench.processes import alive, pause, running
from bench.session import Session

SCRIPTS = ROOT / "tests" / "chaos"
WORK = 0.02
"""Seconds that a server takes for a request."""
_START = 10.0

# What a rival is told of its servers, and of failing ones. Without `tuned` the lines are what its own manual begins with.
SERVER = {
    "nginx": {"default": "server {1}{backup};", "tuned": "server {1} max_fails=1 fail_timeout=10s{backup};"},
    "haproxy": {
        "default": "server {0} {1} check{backup}",
        "tuned": "server {0} {1} check inter 200ms fall 2 rise 2 observe layer7 error-limit 3 on-error mark-down "
        "on-marked-down shutdown-sessions{backup}",
    },
}
TUNED = {
    "nginx": "proxy_connect_timeout 200ms;\n            proxy_read_timeout 1s;\n"
    "            proxy_next_upstream error timeout http_502 http_503 http_504;\n            proxy_next_upstream_tries 3;",
    "haproxy": "option httpchk GET /healthz\n    option redispatch 1\n    retries 3\n    timeout connect 200ms\n    timeout server 1s\n"
    "    retry-on conn-failure empty-response response-timeout 502 503 504\n    http-request disable-l7-retry unless METH_GET",
}


class Server:
    """One server; killed and started again, it keeps its port."""

    def __init__(self, name: str, work: Path, arguments: Sequence[str]) -> None:
        self.name, self.effects, self.port = name, work / f"effects-{name}", free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._command = [sys.executable, str(SCRIPTS / "server.py"), str(self.port), name, str(self.effects), *arguments]
        self._log = work / f"{name}.log"
        self._stack = ExitStack()

    def start(self) -> None:
        """Runs it until `stop`, and waits until it listens."""
        self.process = self._stack.enter_context(running(LOAD_CORE, self._command, log=self._log))
        self._hear()

    def becomes(self, mood: str) -> None:
        """Changes how it answers: see its script."""
        _tell(self.process, mood)
        self._hear()

    def kill(self) -> None:
        """SIGKILL; its port refuses from then on."""
        self.process.kill()
        self.process.wait()
        self._stack.close()

    def freeze(self) -> None:
        """SIGSTOP."""
        self.process.send_signal(signal.SIGSTOP)

    def stop(self) -> None:
        """Ends it, frozen or not; where it was killed, that has been done."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._stack.close()

    def begun(self) -> list[str]:
        """The POSTs that have begun on it, by their number."""
        lines = self.effects.read_text().splitlines() if self.effects.exists() else []
        return [line.split()[1] for line in lines if line.startswith("began ")]

    def _hear(self) -> None:
        assert self.process.stdout is not None  # noqa: S101 - `running` made it a pipe
        if not self.process.stdout.readline():
            raise BenchError(f"server {self.name} ended; see {self._log}")


@dataclass(frozen=True)
class Answers:
    """What the clients got: a dictionary for each request, as load.py says; and for how long the clients themselves were held up, and
    when.
    """

    all: list[dict[str, Any]]
    lag: list[tuple[float, float]]

    def lost(self, since: float = 0.0) -> list[dict[str, Any]]:
        """Those sent from a moment on that were not served."""
        return [answer for answer in self.all if answer["status"] != 200 and answer["start"] >= since]

    def slowest(self) -> float:
        """The longest of all, in milliseconds, without what held the clients up."""
        return 1e3 * max(self.without_lag(answer["start"], answer["end"]) for answer in self.all)

    def without_lag(self, start: float, end: float) -> float:
        """Seconds between two moments in which the clients were not held up."""
        return end - start - sum(late for when, late in self.lag if when + late > start and when < end)


@dataclass(frozen=True)
class Case:
    """A proxy in front of these servers, as a row wants it."""

    name: str
    kind: str
    tiers: bool = False
    """True: the last server stands by for the others."""


@contextmanager
def servers(work: Path, count: int, *, busy: float = WORK, idle: float = 0.0) -> Iterator[list[Server]]:
    """Runs so many."""
    found = [Server(name, work, [str(busy), str(idle)]) for name in "abcde"[:count]]
    try:
        for server in found:
            server.start()
        yield found
    finally:
        for server in found:
            server.stop()


@contextmanager
def proxy(session: Session, case: Case, found: Sequence[Server], work: Path) -> Iterator[str]:
    """Runs the proxy, and yields its address once it has answered through each server."""
    address = f"127.0.0.1:{free_port()}"
    config = work / f"{case.name}.conf"
    config.write_text(_rendered(case, found, work, address))
    arguments = {
        "nginx": ["-p", str(work), "-c", str(config)],
        "haproxy": ["-db", "-f", str(config)],
        "forebay": ["run", str(config)],
    }[case.name]
    log = work / "proxy.log"
    with running(PROXY_CORE, [str(session.peers[case.name].binary), *arguments], log=log) as process:
        _until(lambda: _answers(address), process, log)
        pause(1.0)  # its first probes
        yield address


@contextmanager
def clients(work: Path, address: str, **plan: object) -> Iterator[Callable[[], Answers]]:
    """Runs clients until what it yields is called, which returns their answers."""
    command = [sys.executable, str(SCRIPTS / "load.py"), json.dumps({"address": address, "patience": 8.0, **plan})]
    with running(LOAD_CORE, command, log=work / "load.log") as process:

        def finish() -> Answers:
            printed, _ = process.communicate("over\n", timeout=60)
            found = json.loads(printed)
            return Answers(found["answers"], [(when, late) for when, late in found["lag"]])

        yield finish


def twice(found: Sequence[Server]) -> int:
    """How many POSTs have begun more than once."""
    numbers = [number for server in found for number in server.begun()]
    return len(numbers) - len(set(numbers))


def now() -> float:
    """The clock of the clients."""
    return time.monotonic()


def _rendered(case: Case, found: Sequence[Server], work: Path, address: str) -> str:
    if case.name == "forebay":
        lines = [f'  {{ id = "{each.name}", address = "{each.address}", tier = {int(_stands_by(case, found, each))} }},' for each in found]
        listed = "\n".join(lines)
    else:
        form = SERVER[case.name][case.kind]
        listed = "\n    ".join(
            form.format(each.name, each.address, backup=" backup" if _stands_by(case, found, each) else "") for each in found
        )
    tuned = TUNED.get(case.name, "") if case.kind == "tuned" else ""
    values = {"WORK": str(work), "LISTEN": address, "SERVERS": listed, "TUNED": tuned}
    template = (TEMPLATES / f"failover-{case.name}.in").read_text()
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda match: values[match[1]], template)


def _stands_by(case: Case, found: Sequence[Server], server: Server) -> bool:
    return case.tiers and server is found[-1]


def _answers(address: str) -> bool:
    try:
        return fetch(address, "/")[0] == 200
    except OSError:
        return False


def _until(look: Callable[[], bool], process: "subprocess.Popen[str]", log: Path) -> None:
    end = time.monotonic() + _START
    while not look():
        alive(process, log)
        if time.monotonic() > end:
            raise BenchError(f"no answer within {_START:g} s; see {log}")
        pause(0.01)


def _tell(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdin is not None  # noqa: S101 - `running` made it a pipe
    process.stdin.write(line + "\n")
    process.stdin.flush()
