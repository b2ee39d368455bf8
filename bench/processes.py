"""Child processes on a chosen core, ended by their pid whatever happens to the suite."""

import resource
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.paths import BenchError


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """The command bound to one core, and set to end with its parent where `setpriv` is there to ask for it."""
    prefix = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    return [*prefix, "taskset", "--cpu-list", str(core), *command]


def raise_file_limit() -> int:
    """Lets the processes of the suite open as many files as the hard limit allows; returns that many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@contextmanager
def running(
    core: int, command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """Runs the command while the block runs; stdin and stdout are pipes, stderr goes to `log`.

    In a session of its own, so that Ctrl-C reaches the suite alone, which then ends what it started.
    """
    with log.open("a") as errors:
        process = subprocess.Popen(
            pinned(core, command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=dict(environment) if environment is not None else None,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            end(process)


def end(process: "subprocess.Popen[str]") -> None:
    """SIGTERM, and SIGKILL to one that has not gone after five seconds."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def alive(process: "subprocess.Popen[str]", log: Path) -> None:
    """Raises BenchError with the end of its log if the process has exited."""
    if process.poll() is not None:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
        message = f"{process.args!r} exited with {process.returncode}:\n{tail}"
        raise BenchError(message)


def pause(seconds: float) -> None:
    """Lets the measured window pass."""
    threading.Event().wait(seconds)
