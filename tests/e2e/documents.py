"""The fenced blocks of a document, and a shell to run them in."""

import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w+)(?: title=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PATIENCE = 30.0


class Block(NamedTuple):
    """One fenced block: its language, the file it is to be saved as (or empty), and its text."""

    language: str
    title: str
    text: str


def blocks(document: str, ports: Mapping[int, int] | None = None) -> list[Block]:
    """Return the blocks of a document, in which each port that is a key of `ports` stands as its value."""
    text = (ROOT / document).read_text()
    for named, free in (ports or {}).items():
        text = re.sub(rf"\b{named}\b", str(free), text)
    return [Block(*found) for found in _BLOCK.findall(text)]


def free_ports(*named: int) -> dict[int, int]:
    """Map the ports that a document names to ports that are free now."""
    with ExitStack() as open_ones:
        found = {}
        for port in named:
            probe = open_ones.enter_context(socket.create_server(("127.0.0.1", 0)))
            found[port] = probe.getsockname()[1]
        return found


def until_listening(port: int) -> None:
    """Return once something accepts connections on a port of 127.0.0.1; raises TimeoutError after half a minute."""
    pause = threading.Event()
    for _ in range(int(_PATIENCE / 0.02)):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        pause.wait(0.02)
    raise TimeoutError(port)


def environment(home: Path) -> dict[str, str]:
    """Return an environment in which `forebay` is on the path and keeps its state under `home`."""
    bound = {"XDG_STATE_HOME": str(home), "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **bound}


class Shell:
    """A bash with job control that is fed one block at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._blocks = 0

    def run(self, text: str) -> list[str]:
        """Run a block; returns the lines that it and the jobs in the background printed meanwhile. The last command must succeed."""
        self._blocks += 1
        mark = f"block {self._blocks} ended with"
        given, said = self._process.stdin, self._process.stdout
        assert given is not None
        assert said is not None
        given.write(f"{text}\nstatus=$?; echo; echo {mark} $status\n")
        given.flush()
        lines: list[str] = []
        for line in said:
            if line.startswith(mark):
                assert line.split()[-1] == "0", "".join(lines)
                return lines
            lines.append(line)
        raise EOFError("".join(lines))


@contextmanager
def shell(folder: Path) -> Iterator[Shell]:
    """Open a shell in `folder`; everything that still runs in its session when it closes is ended."""
    process = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-m"],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield Shell(process)
        finally:
            for pid in _session(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _session(leader: int) -> list[int]:
    members = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # proc_pid_stat(5): the name in parentheses may hold anything; after it come state, parent, group and session.
            if int(entry.read_text().rpartition(")")[2].split()[3]) == leader:
                members.append(int(entry.parent.name))
    return members
