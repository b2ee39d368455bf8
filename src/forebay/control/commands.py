"""Probes that are programs: run on workers, so that the engine and control wait for none of them."""

import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO

from forebay.control.probing import Target, command_line

Submit = Callable[[Callable[[], None]], None]
Outcome = tuple[str, str, float, int | None, str | None, str | None, float]

_MOST = 16 * 1024


class Commands:
    """Runs them. `wake` is called, on a worker, when an outcome is there."""

    def __init__(self, submit: Submit, wake: Callable[[], None]) -> None:
        self._submit = submit
        self._wake = wake
        self._outcomes: deque[Outcome] = deque()

    def run(self, target: Target) -> None:
        """Run the target's command, some time soon."""
        self._submit(lambda: self._perform(target))

    def take(self) -> list[Outcome]:
        """What they came to since the last call, in the form of `Engine.probed`."""
        # One by one: workers go on adding meanwhile.
        return [self._outcomes.popleft() for _ in range(len(self._outcomes))]

    def _perform(self, target: Target) -> None:
        began = time.monotonic()
        cause, text = _result(command_line(target), target.group.rules.timeout)
        self._outcomes.append((target.pool, target.endpoint, time.monotonic() - began, None, cause, text, 0.0))
        self._wake()


def _result(command: Sequence[str], timeout: float) -> tuple[str | None, str]:
    """Why a command failed (None: it ended with 0 in time), and the first 16 KiB that it wrote."""
    end = time.monotonic() + timeout
    try:
        # A group of its own: what it has started ends with it, and Ctrl-C does not reach it.
        process = subprocess.Popen(  # noqa: S603 - as declared
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
    except OSError as error:
        return f"{command[0]} cannot be run: {error.strerror}", ""
    with process:
        try:
            text = _read(process.stdout, end) if process.stdout is not None else b""
            code = process.wait(max(0.0, end - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return "probe_timeout", ""
    return (None if code == 0 else f"{command[0]} ended with {code}"), text.decode("latin-1")


def _read(pipe: IO[bytes], end: float) -> bytes:
    """All that is written until the pipe closes, or the first 16 KiB of it. Raises TimeoutError."""
    os.set_blocking(pipe.fileno(), False)
    text = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            left = end - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise TimeoutError
            part = os.read(pipe.fileno(), _MOST)
            if not part:
                return text
            text = (text + part)[:_MOST]
