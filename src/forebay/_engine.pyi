"""The native engine, as Python sees it. This module is the only border; see ARCHITECTURE.md."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self, final

__all__ = [
    "Balancer",
    "BindError",
    "Candidate",
    "Candidates",
    "Engine",
    "EngineError",
    "Request",
    "__version__",
    "budget",
    "causes",
    "picks",
    "serving",
    "signals",
    "slow_start",
]

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

    def __new__(
        cls,
        snapshot: bytes,
        threads: int,
        access_log: str,
        log_format: str,
        callables: Mapping[str, Callable[..., Any]] | None = None,
        sockets: Mapping[str, Mapping[str, Sequence[int]]] | None = None,
    ) -> Self:
        """Validate a snapshot (canonical JSON) and bind its listeners; nothing is accepted yet.

        `sockets` are file descriptors of listening sockets, by listener and by address as it is bound, to be used instead of new ones; they
        are the engine's from here on.

        `access_log` is `"off"`, `"stdout"`, `"stderr"` or a file's path; `log_format` is `"json"` or `"text"`. `callables` are the
        functions that its pools name; each has a daemon thread from here on until the shutdown.
        Raises EngineError for a snapshot that makes no sense, BindError for a socket that cannot be had.
        """
    def start(self) -> None:
        """Start the threads and accept. Raises EngineError when called twice or after a fork."""
    def addresses(self) -> dict[str, list[str]]:
        """The bound addresses of each listener, with the port that the system gave for port 0."""
    def sockets(self) -> dict[str, dict[str, list[int]]]:
        """A copy of every listening socket, as for `sockets` above; the caller has to close them. Raises OSError."""
    def apply(self, delta: bytes, callables: Mapping[str, Callable[..., Any]] | None = None) -> int:
        """Swap to a new snapshot; returns its number. New listeners are bound first; on any error nothing changes. `callables` are all
        functions that the pools of the new snapshot name.

        Raises EngineError (also when `base` is not the present number) and BindError.
        """
    def number(self) -> int:
        """The number of the snapshot that serves."""
    def statistics(self) -> bytes:
        """Counters, histograms and endpoint states as JSON; see `forebay.observe.statistics` for its shape."""
    def probe(self, batch: bytes) -> None:
        """Begin probes: a JSON list of `{"pool", "probe", "endpoints": [ID, ...]}`. Returns at once; the outcomes come with `probed`.

        one character (below 256) for each byte; `request` is a whole head, in which `{address}` stands for the endpoint's; `timeout` is in
        one character (below 256) for each byte; `request` is a whole head, in which `{address}` stands for the endpoint's; `timeout` is
        in seconds; `body` bytes of the content are wanted back, at least `expect_bytes` must come, and 65,536 are handed back at most.
        Raises EngineError for anything else.
        """
    def probed(self) -> bytes:
        """What probes came to since the last call, as JSON: `[[pool, endpoint, seconds, status, cause, body, age], ...]`.

        `seconds` to the answer's head (or the connection, or the bytes expected), `cause` a name of `causes()`, `"probe_timeout"` or
        `"unknown_endpoint"`, `body` text as in `probe`, `age` seconds since it ended.
        """
    def stand(self, standing: bytes) -> None:
        """Have endpoints stand as control says: JSON `{"seen", "pools": {POOL: {"endpoints": {ID: {"status", "for", "weight"}}, "failback",
        "held"}}}`.

        Only endpoints that are named change. `seen` is the number of the last event that control had read: what made the engine pass an
        endpoint over since then stays. `status` (null leaves it) lapses after `for` seconds (null never): draining and disabled to healthy,
        down, ejected and suspect to a trial. `weight` stands for the declared one, null for none such. `failback` has an earlier tier take
        back now; `held` (null leaves it) keeps the engine from passing endpoints over. Pools and endpoints that are not there are
        passed by. Raises EngineError for anything else.
        """
    def observe(self) -> bytes:
        """What has happened since the last call, as JSON: `{"number", "lost", "events": [...], "pools": {POOL: {"tier", "all_down",
        "endpoints": {ID: {...}}}}}`.

        An event is `{"number", "age", "pool", "endpoint", "kind", "cause"}` (a `tier` also has `from` and `to`); its kind is one of `reflex
        recovered trial_started trial_passed trial_failed draining tier all_down all_up retry_budget`; its cause is a name of `causes()`,
        `server_error`, `slow`, `connection_close` or `retry_after`. Endpoints are those that changed: `requests answers errors failures`
        counted over their lives, `latency` the sum of all answers' seconds, `log_latency` that of their natural logarithms, `inflight`,
        `passed_over` (seconds left, or 0), `trial` and `idle_limit` (seconds, or null).
        """
    def wait(self, seconds: float) -> bool:
        """Wait, at most that long, for an event, the outcome of a probe, or a `nudge`; whether one of these came."""
    def nudge(self) -> None:
        """End a `wait` that is under way, or the next one."""
    def stop_accepting(self) -> None:
        """Close the listeners once their queues are empty, and answer kept connections with `Connection: close`."""
    def hand_over(self) -> None:
        """Close the listeners, as another process accepts from copies of their sockets, and answer what comes on kept connections with
        `Connection: close`. Quiet ones stay open until then, or until `stop_accepting`.
        """
    def wait_idle(self, seconds: float) -> int:
        """Wait until no exchange and no tunnel runs, at most that long; returns how many still do."""
    def shutdown(self) -> int:
        """Cut what still runs, flush the access log, end the threads; returns how many exchanges and tunnels were cut. Idempotent."""
    def reopen_log(self) -> None:
        """Open the access log's path anew (rotation does so by itself within a second)."""

@final
class Balancer:
    """One pool without a gateway: the engine's own picks, on the caller's clock (seconds). Every method may be called from any thread."""

    def __new__(cls, pool: bytes, now: float = 0.0) -> Self:
        """A pool (the JSON of `PoolSpec`) at that second. Raises EngineError for one that makes no sense."""
    def pick(self, now: float, key: bytes | None = None, tried: Sequence[int] | None = None) -> tuple[int, int] | None:
        """A ticket and the index of the endpoint that it is for; None where nobody may be picked. `key` is what a consistent hash goes by,
        `tried` are the indices of endpoints that must not be picked. The ticket is held until `done` or `failed`.
        """
    def answered(self, ticket: int, now: float, ok: bool) -> None:
        """The first byte of an answer came; not `ok` is a server's error. Only the first call counts. KeyError: no such ticket."""
    def failed(self, ticket: int, now: float) -> None:
        """The attempt failed by the endpoint's fault, and is over. Raises KeyError for no such ticket."""
    def done(self, ticket: int, now: float) -> None:
        """It is over; one that was never answered teaches nothing. Raises KeyError for no such ticket."""
    def report(self, index: int, now: float, load: float, metrics: Mapping[str, float]) -> None:
        """What a server says of itself: how busy it is (0 to 1), and metrics by name. Raises KeyError for no such index."""
    def columns(self, now: float) -> dict[str, list[float]]:
        """What policies read, by field: a value for each endpoint, in their order."""
    def update(self, pool: bytes, now: float) -> None:
        """The pool from now on; endpoints of the same id keep what was learned. Raises EngineError, and changes nothing then."""

@final
class Request:
    """What a function that picks may look at of a request. Text that is not ASCII is decoded as Latin-1, as in WSGI and ASGI."""

    @property
    def method(self) -> str:
        """Such as `GET`."""
    @property
    def path(self) -> str:
        """As received, still percent-encoded."""
    @property
    def query(self) -> str | None:
        """What follows the `?`."""
    @property
    def host(self) -> str:
        """The host that the client meant, without its port."""
    @property
    def client(self) -> str:
        """The client's address, worked out as for the access log."""
    @property
    def id(self) -> str:
        """The request's name in the logs."""
    def header(self, name: str) -> str | None:
        """The first value of a field; case does not count."""
    @property
    def headers(self) -> list[tuple[str, str]]:
        """All fields in the order received; built anew at each look."""

@final
class Candidate:
    """One endpoint that may be picked. The numbers are read when they are looked at."""

    @property
    def id(self) -> str:
        """As declared, or else its address."""
    @property
    def address(self) -> str:
        """As declared."""
    @property
    def weight(self) -> float:
        """Its share, slow start counted in."""
    @property
    def inflight(self) -> int:
        """Requests in flight now."""
    @property
    def latency(self) -> float:
        """Seconds to the first byte."""
    @property
    def service_time(self) -> float:
        """Seconds that one request takes."""
    @property
    def error_rate(self) -> float:
        """Share of failed answers, 0 to 1."""
    @property
    def age(self) -> float:
        """Seconds since it joined or recovered."""
    @property
    def reported_load(self) -> float:
        """How busy it says it is, 0 to 1."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Candidates:
    """The endpoints that may serve a request, in the order declared; at least one."""

    def __len__(self) -> int: ...
    def __getitem__(self, place: int, /) -> Candidate: ...
    def __iter__(self) -> Iterator[Candidate]: ...
    def __contains__(self, candidate: object, /) -> bool: ...

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

def budget(share: float, hedges: bool, asks: list[tuple[int, int, int]]) -> list[bool]:
    """Whether each of these is granted by one bucket, one after the other; see `forebay.failover.budget`, which it equals.

    An ask is `(requests of the pool so far, in flight, milliseconds)`; `share` is the tokens that each request brings.
    """

def slow_start(seed: int, turn: int, index: int, age: int, window: int) -> bool:
    """Whether an endpoint that began to serve `age` ms ago may be picked on that occasion; see `forebay.failover.slow_start`."""

def serving(question: bytes) -> bytes:
    """Who of a pool may serve, by the engine's rule; see `forebay.failover.serving`, which it equals.

    `question` is JSON: `rules` (`min_healthy automatic hold_down max_ejected probed when_all_down`), `memory` (`tier wanted_since flaps
    back_at failback`), `endpoints` (`tier weight status until passed_until fact trial last` of each) and `now`; all times are milliseconds.
    The answer has `mask trials beyond pinned` (a bool for each endpoint), `tier`, `mode` (`serving` or `all_down`), `due` and the new
    `memory`. Raises EngineError for a question that makes no sense.
    """

def signals(count: int, metrics: Sequence[str], events: bytes) -> bytes:
    """Play events (a JSON list) on a pool of `count` endpoints that all joined at 0 s; for comparison with the reference.

    Events: `{"picked": slot}`, `{"answered": [slot, latency, inflight, ok]}`, `{"failed": slot}`,
    `{"report": [slot, now, load, {metric: value}]}`, `{"joined": [slot, now]}`, `{"refresh": [now, [inflight, ...]]}`.
    Returns a JSON list of the columns (by field; `reported:NAME` for each of `metrics`) after each `joined` and `refresh`; a refresh
    within a tenth of a second of the last writes none. Raises EngineError for a list that makes no sense.
    """
