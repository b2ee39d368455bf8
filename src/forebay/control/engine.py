"""The engine as control sees it: what it must offer, where it comes from, and what its refusals mean to a user."""

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from forebay._engine import BindError, EngineError
from forebay._engine import Engine as NativeEngine
from forebay._engine import __version__ as VERSION  # noqa: N812 - a constant of the module that it comes from
from forebay.control.ports import holder
from forebay.errors import ConfigError, Fault, ListenError

__all__ = ["VERSION", "BindError", "Engine", "EngineError", "EngineFactory", "NativeEngine", "refusals"]


Callables = Mapping[str, Callable[..., Any]]
"""All Python functions that the pools of a snapshot name."""


class Engine(Protocol):
    """One data path. `forebay._engine.Engine` is the real one, `forebay.testing.FakeEngine` another."""

    def start(self) -> None:
        """Start the threads and accept."""

    def addresses(self) -> dict[str, list[str]]:
        """The bound addresses of each listener."""

    def apply(self, delta: bytes, callables: Callables) -> int:
        """Swap to a new snapshot; returns its number."""

    def number(self) -> int:
        """The number of the snapshot that serves."""

    def statistics(self) -> bytes:
        """Counters, histograms and endpoint states as JSON."""

    def stand(self, standing: bytes) -> None:
        """Have endpoints stand as control says; only those that are named change."""

    def observe(self) -> bytes:
        """What has happened since the last call, and the counts that have changed, as JSON."""

    def probe(self, batch: bytes) -> None:
        """Send probes now; their results come with `probed`."""

    def probed(self) -> bytes:
        """The results of probes since the last call, as JSON."""

    def wait(self, seconds: float) -> bool:
        """Wait, at most that long, until something has happened or a probe has its result; whether that, or `nudge`, ended it."""

    def nudge(self) -> None:
        """End a `wait` that is under way, or the next one."""

    def sockets(self) -> dict[str, dict[str, list[int]]]:
        """A copy of every listening socket, by listener and address; the caller has to close them."""

    def hand_over(self) -> None:
        """Close the listeners, whose copies another process has; close each kept connection after its next answer."""

    def stop_accepting(self) -> None:
        """Close the listeners."""

    def wait_idle(self, seconds: float) -> int:
        """Wait until nothing runs, at most that long; returns how many still do."""

    def shutdown(self) -> int:
        """Cut what still runs and end; returns how many were cut."""

    def reopen_log(self) -> None:
        """Open the access log's path anew."""


EngineFactory = Callable[..., Engine]
"""Makes an engine of snapshot, threads, access log, log format and functions, and perhaps `sockets=` that listen already: it has bound its
listeners and accepts nothing yet.
"""


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the engine's exceptions into ours, here and nowhere else.

    Raises:
        ListenError: for a socket that cannot be had.
        ConfigError: for a snapshot that only the engine could judge, such as a regex that does not compile.
    """
    try:
        yield
    except BindError as error:
        raise listen_error(error) from error
    except EngineError as error:
        raise ConfigError([Fault(message=str(error))]) from error


def listen_error(error: OSError) -> ListenError:
    """Say why an address cannot be listened on, and what to do."""
    address = str(error.filename)
    if error.errno == errno.EADDRINUSE:
        who = holder(address)
        reason = f"{who or 'another process'} already listens there"
        hint = "stop it, or choose another port (port 0 asks the system for a free one)"
    elif error.errno in {errno.EACCES, errno.EPERM}:
        reason = "this user may not listen there"
        hint = "choose a port above 1023, or grant the capability CAP_NET_BIND_SERVICE"
    elif error.errno == errno.EADDRNOTAVAIL:
        reason = "no network interface of this machine has that address"
        hint = "listen on 127.0.0.1 for this machine alone, or on :PORT for every interface"
    else:
        reason = error.strerror or str(error)
        hint = "check the address"
    return ListenError(address, reason, hint=hint)
