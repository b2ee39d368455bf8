"""Whose turn it is to serve: what is observed and ordered becomes each endpoint's status, and the engine is told."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from forebay.config.pools import Pool
from forebay.config.schema import GatewayConfig
from forebay.control.commands import Commands
from forebay.control.engine import Engine
from forebay.control.events import Events
from forebay.control.loop import Loop, encode
from forebay.control.overlays import NONE, Key, Overlay, Overlays, lapsed, without
from forebay.control.probing import Prober
from forebay.control.standing import PoolStanding, Told
from forebay.control.watched import Watched
from forebay.control.workers import Workers

_log = logging.getLogger("forebay.health")

Clock = Callable[[], float]

_TICK: Final = 0.25
"""Seconds between two looks at the counts while nothing happens."""
_GAP: Final = 0.01
"""Seconds between two turns while much happens: what comes in between is taken together."""
_COMMANDS_AT_ONCE: Final = 8
VERSION: Final = 1
"""Of the form of `Health.state`."""
OLDEST: Final = 600.0
"""Seconds after which what was learned is no longer believed."""
_NOTHING: Final = Told("unknown")
"""What the engine has of an endpoint that it was told nothing of."""


class Health:
    """Turns observations and orders into statuses, on a thread of its own beside the loop.

    Whatever holds this thread up delays judgements; the engine's reflexes and the ends of all pauses go on without it. `clock` never goes
    back, `wall` is the wall clock.
    """

    def __init__(self, loop: Loop, engine: Engine, events: Events, clock: Clock, wall: Clock) -> None:
        self._loop = loop
        self._engine = engine
        self._events = events
        self._clock = clock
        self._wall = wall
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._workers = Workers("forebay-probe-command", _COMMANDS_AT_ONCE)
        self._commands = Commands(self._workers.submit, engine.nudge)
        self._prober = Prober(engine.probe, self._commands.run)
        self._pools: dict[str, Watched] = {}
        self._snapshot: Mapping[str, Any] | None = None
        self._config: GatewayConfig | None = None
        self._overlays: Overlays = NONE
        self._told: dict[tuple[str, str], Told] = {}
        self._changed: set[tuple[str, str]] = set()
        self._seen = self._lost = 0

    def start(self) -> None:
        """Turn on a daemon thread of its own."""
        self.refresh()
        self._thread = threading.Thread(target=self._run, name="forebay-health", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; when this returns, nothing more is judged."""
        self._stopping.set()
        self._engine.nudge()
        if self._thread is not None:
            self._thread.join()
        self._workers.stop()

    def refresh(self) -> None:
        """Have the engine know what is ordered and observed; it does when this returns."""
        if not self._stopping.is_set():
            self.turn()

    def fail_back(self, pool: str) -> bool:
        """Have a pool go back to its first tier now; whether another one served."""
        with self._lock:
            self.turn()
            if self._pools[pool].tier == 0:
                return False
            self._engine.stand(encode({"seen": self._seen, "pools": {pool: {"failback": True}}}))
            return True

    def standing(self) -> dict[str, PoolStanding]:
        """How each pool stands now."""
        with self._lock:
            self.refresh()
            now = self._clock()
            return {name: self._shown(name, pool, now) for name, pool in self._pools.items()}

    def turn(self) -> float:
        """Take in what there is, and tell the engine what follows; returns the seconds until there is something to do again."""
        with self._lock:
            now = self._clock()
            self._lapse()
            self._follow(now)
            self._take_observations(now)
            self._take_results(now)
            for name, pool in self._pools.items():
                if verdicts := pool.turn(now, self._events):
                    self._verdicts(name, pool, verdicts)
            due = self._prober.turn(now)
            self._publish(now)
            due = min(due, min((pool.due for pool in self._pools.values()), default=due))
        return max(0.0, min(_TICK, due - now))

    def state(self) -> dict[str, Any]:
        """What has been learned of endpoints, as JSON, for another process or the next start; `at` is the wall clock in seconds."""
        with self._lock:
            now = self._clock()
            pools = {name: pool.health.state(now) for name, pool in self._pools.items()}
            return {"version": VERSION, "at": self._wall(), "pools": pools}

    def restore(self, state: object, age: float) -> None:
        """Go on from what was learned `age` seconds ago; nothing older than ten minutes counts.

        What is no such state, or of another version, is ignored with one line in the log. Pools and endpoints that are no longer there are
        nothing.
        """
        if age > OLDEST:
            return
        with self._lock:
            now = self._clock()
            self._follow(now)
            try:
                for name, learned in _pools_of(state).items():
                    if name in self._pools:
                        self._pools[name].restore(learned, max(age, 0.0), now)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                _log.warning("what was learned of endpoints is ignored: %s", error)

    def _lapse(self) -> None:
        for overlay in lapsed(self._loop.desired.overlays, self._wall()):
            # What is kept on disk says itself when it ends.
            self._loop.overlay(lambda overlays, _, over=overlay: without(overlays, over), lambda _: None)  # type: ignore[misc]  # bound here
            kind = "hold" if overlay.kind == "hold" else "operator"
            text = f"the {overlay.kind} of an operator has lapsed"
            self._events.note(kind, text, pool=overlay.pool, endpoint=overlay.endpoint, reason="expired")  # type: ignore[arg-type]

    def _follow(self, now: float) -> None:
        """Know the endpoints that are served now, and the orders in force."""
        snapshot, config, overlays = self._loop.effective.snapshot, self._loop.desired.config, self._loop.desired.overlays
        if snapshot is not self._snapshot or config is not self._config:
            for name in [name for name in self._pools if name not in snapshot["pools"]]:
                del self._pools[name]
                self._prober.forget(name)
            for name, spec in snapshot["pools"].items():
                if name in config.pools:
                    self._follow_pool(name, config.pools[name], spec, now)
            known = {(name, each) for name, pool in self._pools.items() for each in pool.members}
            self._told = {key: told for key, told in self._told.items() if key in known}
            self._snapshot, self._config = snapshot, config
        if overlays is not self._overlays:
            for key in {*overlays, *self._overlays}:
                if overlays.get(key) != self._overlays.get(key):
                    self._apply(key, overlays, now)
            self._overlays = overlays

    def _follow_pool(self, name: str, declared: Pool, spec: Mapping[str, Any], now: float) -> None:
        pool = self._pools.get(name)
        if pool is not None and pool.is_of(declared, spec):
            return
        fresh = pool is None
        if pool is None:
            pool = self._pools[name] = Watched(name, declared)
        before = pool.members
        pool.update(declared, spec, now)
        self._prober.update(name, declared, spec["endpoints"], pool.rules.probes, now)
        for endpoint in [each for each in pool.members if each not in before]:
            self._apply((name, endpoint, "serving"), self._overlays, now)
            self._changed.add((name, endpoint))
        if fresh and (name, None, "hold") in self._overlays:
            self._apply((name, None, "hold"), self._overlays, now)

    def _apply(self, key: Key, overlays: Overlays, now: float) -> None:
        """Have an order hold, or hold no more."""
        name, endpoint, facet = key
        pool = self._pools.get(name)
        if pool is None:
            return
        if endpoint is None:
            held = key in overlays
            pool.hold(held=held)
            self._engine.stand(encode({"seen": self._seen, "pools": {name: {"held": held}}}))
        elif facet == "serving":
            pool.order(endpoint, overlays.get(key), now, self._wall())
        else:
            self._changed.add((name, endpoint))

    def _take_observations(self, now: float) -> None:
        observed = json.loads(self._engine.observe())
        self._seen = observed["number"]
        if observed["lost"] > self._lost:
            _log.warning("%d events of the engine were lost: more came at once than are kept", observed["lost"] - self._lost)
            self._lost = observed["lost"]
            for watched in self._pools.values():
                watched.missed(now)
        for event in observed["events"]:
            pool = self._pools.get(event["pool"])
            if pool is None:
                continue
            self._doubt(event["pool"], event["endpoint"], event["cause"])
            counts = observed["pools"].get(event["pool"], {}).get("endpoints", {}).get(event["endpoint"], {})
            if pool.happened(event, now, self._events, counts.get("passed_over") or None):
                self._prober.hurry(event["pool"], event["endpoint"], now)
        for name, value in observed["pools"].items():
            if name in self._pools:
                self._pools[name].observed(value, now)
                self._tell_anew(name, value["endpoints"])

    def _tell_anew(self, pool: str, endpoints: Mapping[str, Mapping[str, Any]]) -> None:
        """What left and came back between two turns is new to the engine, which has forgotten what it was told."""
        for endpoint, counts in endpoints.items():
            key = (pool, endpoint)
            if counts.get("status") == "unknown" and self._told.get(key, _NOTHING).status != "unknown":
                del self._told[key]
                self._changed.add(key)

    def _doubt(self, pool: str, endpoint: str, cause: str | None) -> None:
        """What cannot be connected to may have moved: its name is looked up again."""
        if cause is not None and cause.startswith("connect_"):
            self._loop.doubt(pool, endpoint)

    def _take_results(self, now: float) -> None:
        groups, pools = self._prober.groups, self._pools
        results = json.loads(self._engine.probed())
        for name, endpoint, seconds, status, cause, body, age in (*results, *self._commands.take()):
            group = groups.get(name)
            target = group.targets.get(endpoint) if group is not None else None
            if group is None or target is None or target.asked is None:
                continue
            target.asked = None
            self._doubt(name, endpoint, cause)
            fault = group.expected.fault(status, cause, body)
            target.results.append((now - age, seconds, status, fault))
            pools[name].probed(endpoint, status, fault, now - age)

    def _verdicts(self, name: str, pool: Watched, verdicts: Iterable[str]) -> None:
        for endpoint in verdicts:
            self._changed.add((name, endpoint))
            if (target := self._prober.target(name, endpoint)) is not None:
                target.down = pool.is_down(endpoint)

    def _publish(self, now: float) -> None:
        told: dict[str, dict[str, Any]] = {}
        for key in self._changed:
            name, endpoint = key
            pool = self._pools.get(name)
            if pool is None or endpoint not in pool.members:
                continue
            verdict = pool.health.verdict(endpoint)
            weight = self._overlays.get((name, endpoint, "weight"))
            new = Told(verdict.told.value, verdict.told_until, weight.weight if weight is not None else None)
            before = self._told.get(key, _NOTHING)
            if before != new:
                self._told[key] = new
                told.setdefault(name, {})[endpoint] = new.json(now, before)
        self._changed.clear()
        if told:
            pools = {name: {"endpoints": endpoints} for name, endpoints in told.items()}
            self._engine.stand(encode({"seen": self._seen, "pools": pools}))

    def _shown(self, name: str, pool: Watched, now: float) -> PoolStanding:
        overlays = [each for each in self._loop.desired.overlays.values() if each.pool == name]
        of: dict[str, list[Overlay]] = {}
        for each in overlays:
            if each.endpoint is not None:
                of.setdefault(each.endpoint, []).append(each)
        held = next((each.json() for each in overlays if each.endpoint is None), None)
        group = self._prober.groups.get(name)
        targets = group.targets if group is not None else {}
        shown = {endpoint: pool.shown(endpoint, now, of.get(endpoint, ()), targets.get(endpoint)) for endpoint in pool.members}
        return PoolStanding(pool.tier, pool.all_down, held, shown)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                seconds = self.turn()
            except Exception:  # noqa: BLE001 - told, and judged anew
                # Whatever it was, the next turn begins anew; without one, nothing would ever be judged again.
                _log.exception("statuses could not be brought up to date; those in force go on")
                seconds = _TICK
            self._engine.wait(seconds)
            # Much may happen in this time, and all of it is taken in one turn.
            self._stopping.wait(_GAP)


def _pools_of(state: object) -> Mapping[str, Any]:
    if not isinstance(state, dict) or state.get("version") != VERSION or not isinstance(state.get("pools"), dict):
        raise ValueError("it is of another version")
    return dict(state["pools"])
