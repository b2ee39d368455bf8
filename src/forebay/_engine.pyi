"""The native engine, as Python sees it. This module is the only border; see ARCHITECTURE.md."""

from collections.abc import Mapping, Sequence
from typing import Any, Self, final

__all__ = ["BindError", "Engine", "EngineError", "__version__", "causes", "picks", "signals"]

__version__: str

class EngineError(Exception):
    """The engine refused a snapshot or a delta; the message says which part and why."""

class BindError(OSError):
    """A listening socket could not be had. `errno` and `strerror` are the system's, `filename` is the address as declared."""

@final
class Engine:
    """One data path: its threads, listeners, pools and counters. Every method may be called from any thread and releases the
    interpreter lock while it waits.
    """

    def __new__(cls, snapshot: bytes, threads: int, access_log: str, log_format: str) -> Self:
        """Validate a snapshot (canonical JSON) and bind its listeners; nothing is accepted yet.

        `access_log` is `"off"`, `"stdout"`, `"stderr"` or a file's path; `log_format` is `"json"` or `"text"`.
        Raises EngineError for a snapshot that makes no sense, BindError for a socket that cannot be had.
        """
    def start(self) -> None:
        """Start the threads and accept. Raises EngineError when called twice or after a fork."""
    def addresses(self) -> dict[str, list[str]]:
        """The bound addresses of each listener, with the port that the system gave for port 0."""
    def apply(self, delta: bytes) -> int:
        """Swap to a new snapshot; returns its number. New listeners are bound first; on any error nothing changes.

        Raises EngineError (also when `base` is not the present number) and BindError.
        """
    def number(self) -> int:
        """The number of the snapshot that serves."""
    def statistics(self) -> bytes:
        """Counters, histograms and endpoint states as JSON; see `forebay.observe.statistics` for its shape."""
    def stop_accepting(self) -> None:
        """Close the listeners once their queues are empty, and answer kept connections with `Connection: close`."""
    def wait_idle(self, seconds: float) -> int:
        """Wait until no exchange and no tunnel runs, at most that long; returns how many still do."""
    def shutdown(self) -> int:
        """Cut what still runs, flush the access log, end the threads; returns how many exchanges and tunnels were cut. Idempotent."""
    def reopen_log(self) -> None:
        """Open the access log's path anew (rotation does so by itself within a second)."""

def causes() -> Sequence[dict[str, Any]]:
    """The catalogue of causes: keys `cause origin phase status error meaning remedy`, in the engine's order."""

def picks(
    policy: bytes,
    endpoints: Sequence[tuple[str, float]],
    columns: Mapping[str, Sequence[float]],
    eligible: Sequence[bool],
    seed: int,
    turn: int,
    count: int,
    key: int | None,
) -> list[int | None]:
    """The indices of `count` picks in a row by a policy (its wire form in JSON), on a state that stays as it is; None where nobody is
    eligible. See `forebay.balance.reference.picks`, which it equals. Raises EngineError for a policy that makes no sense.
    """

def signals(count: int, metrics: Sequence[str], events: bytes) -> bytes:
    """Play events (a JSON list) on a pool of `count` endpoints that all joined at 0 s; for comparison with the reference.

    Events: `{"picked": slot}`, `{"answered": [slot, latency, inflight, ok]}`, `{"failed": slot}`,
    `{"report": [slot, now, load, {metric: value}]}`, `{"joined": [slot, now]}`, `{"refresh": [now, [inflight, ...]]}`.
    Returns a JSON list of the columns (by field; `reported:NAME` for each of `metrics`) after each `joined` and `refresh`; a refresh
    within a tenth of a second of the last writes none. Raises EngineError for a list that makes no sense.
    """
