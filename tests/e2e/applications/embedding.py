"""A program that embeds a gateway and does on its own threads what is bad for every other Python thread.

`embedding.py ENDPOINT...` prints the gateway's address. Then each pair of lines of its input is a time of work: `hold` has a thread hold
the interpreter lock for a second at a time, `spin` has one run Python without a pause, `free` has none; it prints `ok` once it is so. The
second line ends that, and it prints the longest time in seconds for which another Python thread could not run meanwhile.
"""

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from forebay import Gateway, Pool, Route, balance

# PyDLL, unlike CDLL, keeps the lock during a call.
_USLEEP = ctypes.PyDLL(None).usleep


def hold() -> None:
    """Hold the lock for a second; without a system call that would give it up."""
    _USLEEP(999_999)


def spin() -> None:
    """Run Python for a while; the lock is given up only as others insist."""
    for _ in range(1_000_000):
        pass


@contextmanager
def busy(work: Callable[[], None] | None) -> Iterator[None]:
    """Have a thread that does nothing but that."""
    over, begun = threading.Event(), threading.Event()

    def run() -> None:
        while work is not None and not over.is_set():
            begun.set()
            work()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    if work is not None:
        begun.wait()
    yield
    over.set()
    thread.join()


class Heartbeat:
    """How long, at most, a Python thread that wants to run every millisecond could not."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        last = time.monotonic()
        while not self._over.wait(0.001):
            now = time.monotonic()
            self.longest, last = max(self.longest, now - last), now

    def stop(self) -> float:
        """End it."""
        self._over.set()
        self._thread.join()
        return self.longest


def say(word: object) -> None:
    """One line to whoever started this."""
    print(word, flush=True)  # noqa: T201 - it is how the two processes talk


def choose(_request: object, candidates: Sequence[object]) -> object:
    """Pick for the route that asks Python; the other must not notice that there is one."""
    return candidates[0]


def main(endpoints: list[str]) -> None:
    """Serve, and obey."""
    pools = {"app": Pool(endpoints), "python": Pool(endpoints, balance=balance.python(choose))}
    routes = [Route(match={"path": "/python/*"}, pool="python"), Route(pool="app")]
    declared = Gateway(listen="127.0.0.1:0", access_log="off", shutdown_grace="1s", pools=pools, routes=routes)
    with declared.start() as running:
        say(running.address)
        for name in iter(sys.stdin.readline, ""):
            obey(name.strip())


def obey(name: str) -> None:
    """Work in that way until the next line."""
    heartbeat = Heartbeat()
    with busy({"hold": hold, "spin": spin, "free": None}[name]):
        say("ok")
        sys.stdin.readline()
    say(heartbeat.stop())


if __name__ == "__main__":
    main(sys.argv[1:])
