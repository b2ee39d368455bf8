"""Fakes that ship: a clock, and an engine that moves no bytes. For tests of programs that embed a gateway, and for our own."""

import errno
import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from forebay.control.engine import BindError, EngineError
from forebay.types import Address

__all__ = ["FakeClock", "FakeEngine"]

Json = dict[str, Any]

_QUIET: Json = {"tier": 0, "all_down": False}


@dataclass
class FakeClock:
    """A monotonic clock that stands still until it is told to go on."""

    now: float = 0.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let that much time pass."""
        self.now += seconds


@dataclass
class FakeEngine:
    """Keeps the contract of `forebay._engine.Engine`, with real listening sockets and a script instead of traffic.

    Attributes to set: `running`, the exchanges that run; `finishing`, how many of them each `wait_idle` finds finished; `on_wait`,
    called with the seconds that it would have waited; `observed`, by pool and endpoint, fields of `EndpointStatistics` to report.
    `answers`, called with pool and endpoint for each probe, which returns `[seconds, status, cause, body]`, or None for no result at all.
    `counts`, by pool and endpoint, what the next `observe` tells; `pools`, by pool, its `tier` and whether it is `all_down`.
    `lost`, how many events were lost so far. To call: `happen`, for an event that the data path would tell of.
    To read: `snapshot`, `deltas`, `callables`, `state`, `reopened`, `stands` (what control said, in order), `standing` (what of it holds,
    by pool and endpoint), `probes` (the batches sent).

    Pass the class, or a function that makes one, as `engine=` to `Gateway.start`.
    """

    first: bytes
    threads: int = 1
    access_log: str = "off"
    log_format: str = "json"
    callables: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    running: int = 0
    finishing: int = 0
    on_wait: Callable[[float], object] | None = None
    observed: dict[str, dict[str, Json]] = field(default_factory=dict)
    deltas: list[Json] = field(default_factory=list)
    reopened: int = 0
    state: str = "bound"
    answers: Callable[[str, str], list[Any] | None] | None = None
    stands: list[Json] = field(default_factory=list)
    standing: dict[str, dict[str, Json]] = field(default_factory=dict)
    probes: list[Json] = field(default_factory=list)
    counts: dict[str, dict[str, Json]] = field(default_factory=dict)
    pools: dict[str, Json] = field(default_factory=dict)
    lost: int = 0

    def __post_init__(self) -> None:
        """Check the snapshot and bind its listeners."""
        self.snapshot: Json = json.loads(self.first)
        self.total = 0
        self._sockets: dict[str, list[socket.socket]] = {}
        self._bound: dict[str, Json] = {}
        self._happened: list[Json] = []
        self._seen = 0
        self._results: list[list[Any]] = []
        self._news = threading.Event()
        _check(self.snapshot)
        self._listen(self.snapshot["listeners"])

    def start(self) -> None:
        """Accept connections, which then wait for ever."""
        if self.state != "bound":
            message = "the engine was started before"
            raise EngineError(message)
        self.state = "serving"

    def addresses(self) -> dict[str, list[str]]:
        """The bound addresses of each listener."""
        return {name: [_printed(listener) for listener in listeners] for name, listeners in self._sockets.items()}

    def apply(self, delta: bytes, callables: Mapping[str, Callable[..., Any]] = MappingProxyType({})) -> int:
        """Swap to a new snapshot."""
        change: Json = json.loads(delta)
        if change["base"] != self.number():
            message = f"the delta was computed against snapshot {change['base']}, and {self.number()} serves"
            raise EngineError(message)
        new = _merged(self.snapshot, change)
        _check(new)
        self._listen(new["listeners"])
        self.snapshot = new
        self.deltas.append(change)
        self.callables = callables
        return self.number()

    def number(self) -> int:
        """The number of the snapshot that serves."""
        return int(self.snapshot["number"])

    def statistics(self) -> bytes:
        """As the engine has them, all zero but for what was scripted."""
        value = {
            "snapshot": self.number(),
            "uptime": 0.0,
            "threads": self.threads,
            "connections": {"open": 0, "idle": 0, "accepted": 0, "paused": 0},
            "exchanges": {"running": self.running, "tunnels": 0, "total": self.total},
            "records": {"written": 0, "dropped": 0},
            "responses": _classes(),
            "causes": {},
            "listeners": self.addresses(),
            "pools": {name: self._pool(name, pool) for name, pool in self.snapshot["pools"].items()},
        }
        return json.dumps(value).encode()

    def stand(self, standing: bytes) -> None:
        """Note what control says."""
        said: Json = json.loads(standing)
        self.stands.append(said)
        for pool, value in said["pools"].items():
            known = self.standing.setdefault(pool, {})
            for name, stand in value.get("endpoints", {}).items():
                # A status that is left out goes on.
                stays = {key: known.get(name, {}).get(key) for key in ("status", "for")} if stand["status"] is None else {}
                known[name] = {**stand, **stays}

    def happen(self, pool: str, endpoint: str | None, kind: str, cause: str | None = None, **more: Any) -> None:  # noqa: ANN401 - any JSON
        """Have the data path tell of an event."""
        number = len(self._happened) + 1
        self._happened.append({"number": number, "age": 0.0, "pool": pool, "endpoint": endpoint, "kind": kind, "cause": cause, **more})
        self._news.set()

    def observe(self) -> bytes:
        """The events that `happen` told of since the last call, and the counts in `counts`."""
        events, self._seen = self._happened[self._seen :], len(self._happened)
        pools = {name: {**_QUIET, **self.pools.get(name, {}), "endpoints": self.counts.get(name, {})} for name in self.snapshot["pools"]}
        self.counts = {}
        return json.dumps({"number": self._seen, "events": events, "lost": self.lost, "pools": pools}).encode()

    def probe(self, batch: bytes) -> None:
        """Have `answers` answer at once."""
        for each in json.loads(batch):
            self.probes.append(each)
            for endpoint in each["endpoints"]:
                answer = self.answers(each["pool"], endpoint) if self.answers is not None else None
                if answer is not None:
                    self._results.append([each["pool"], endpoint, *answer, 0.0])
        self._news.set()

    def probed(self) -> bytes:
        """The results since the last call."""
        results, self._results = self._results, []
        return json.dumps(results).encode()

    def wait(self, seconds: float) -> bool:
        """Wait in real time."""
        happened = self._news.wait(seconds)
        self._news.clear()
        return happened

    def nudge(self) -> None:
        """End the wait."""
        self._news.set()

    def sockets(self) -> dict[str, dict[str, list[int]]]:
        """A copy of every listening socket, by listener and address as declared."""
        bound = {each["name"]: each["bind"] for each in self._bound.values()}
        return {
            name: {declared: [os.dup(listener.fileno())] for declared, listener in zip(bound[name], listeners, strict=True)}
            for name, listeners in self._sockets.items()
        }

    def hand_over(self) -> None:
        """Close the listeners; what runs goes on."""
        self.stop_accepting()

    def stop_accepting(self) -> None:
        """Close the listeners."""
        self.state = "stopping"
        for listener in (each for listeners in self._sockets.values() for each in listeners):
            listener.close()
        self._sockets.clear()

    def wait_idle(self, seconds: float) -> int:
        """Finish `finishing` exchanges at once, instead of waiting."""
        if seconds > 0:
            if self.on_wait is not None:
                self.on_wait(seconds)
            done = min(self.finishing, self.running)
            self.running -= done
            self.total += done
        return self.running

    def shutdown(self) -> int:
        """Cut what still runs."""
        self.stop_accepting()
        cut, self.running, self.state = self.running, 0, "ended"
        return cut

    def reopen_log(self) -> None:
        """Count that it was called."""
        self.reopened += 1

    def _listen(self, listeners: list[Json]) -> None:
        kept = {each["name"]: self._sockets[each["name"]] for each in listeners if self._bound.get(each["name"]) == each}
        fresh: dict[str, list[socket.socket]] = {}
        try:
            for each in listeners:
                if each["name"] not in kept:
                    fresh[each["name"]] = []
                    fresh[each["name"]].extend(_bind(address) for address in each["bind"])
        except BindError:
            _close(fresh)
            raise
        _close({name: old for name, old in self._sockets.items() if name not in kept})
        self._sockets = {each["name"]: kept.get(each["name"]) or fresh[each["name"]] for each in listeners}
        self._bound = {each["name"]: each for each in listeners}

    def _told(self, pool: str, endpoint: str) -> Json:
        said = self.standing.get(pool, {}).get(endpoint, {})
        status = {"status": said["status"], "reason": ""} if said.get("status") else {}
        return {**status, **self.observed.get(pool, {}).get(endpoint, {})}

    def _pool(self, name: str, pool: Json) -> Json:
        endpoints = {each["id"]: {**_endpoint(each), **self._told(name, each["id"])} for each in pool["endpoints"]}
        queue = {"waiting": 0, "full": 0, "timed_out": 0}
        counts = {"requests": 0, "attempts": 0, "retries": 0}
        return {**counts, "responses": _classes(), "queue": queue, "latency": _histogram(), "callable": None, "endpoints": endpoints}


def _check(snapshot: Json) -> None:
    for route in snapshot["routes"]:
        pool = route["action"].get("pool")
        if pool is not None and pool not in snapshot["pools"]:
            message = f"route {route['id']} leads to the pool {pool}, which does not exist"
            raise EngineError(message)


def _merged(old: Json, change: Json) -> Json:
    new = {**old, "number": change["number"]}
    new |= {key: change[key] for key in ("limits", "trusted_proxies", "forwarded", "listeners") if change.get(key) is not None}
    routes = {route["id"]: route for route in [*old["routes"], *change.get("routes", [])]}
    order = change.get("route_order")
    new["routes"] = [routes[name] for name in (order if order is not None else routes)]
    pools = {**old["pools"], **change.get("pools", {})}
    new["pools"] = {name: pool for name, pool in pools.items() if name not in change.get("removed_pools", [])}
    return new


def _bind(text: str) -> socket.socket:
    address = Address.parse(text)
    listener = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise BindError(error.errno or errno.EINVAL, error.strerror, text) from error
    return listener


def _close(sockets: Mapping[str, list[socket.socket]]) -> None:
    for listeners in sockets.values():
        for listener in listeners:
            listener.close()


def _printed(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _classes() -> dict[str, int]:
    return {"1xx": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0}


def _histogram() -> Json:
    return {"count": 0, "sum": 0.0, "buckets": []}


def _endpoint(spec: Json) -> Json:
    status, reason = ("unresolved", "its name has no address") if spec["target"] is None else ("unknown", "no answer yet")
    return {
        "address": spec["address"],
        "target": spec["target"],
        "weight": spec["weight"],
        "status": status,
        "reason": reason,
        "since": 0.0,
        "passed_over": None,
        "requests": 0,
        "failures": 0,
        "consecutive_failures": 0,
        "fields": {"latency": 0.001, "service_time": 0.001, "error_rate": 0.0, "age": 0.0, "reported_load": 0.0},
        "inflight": 0,
        "connections": {"open": 0, "idle": 0},
        "responses": _classes(),
        "bytes": {"sent": 0, "received": 0},
        "latency": _histogram(),
    }
