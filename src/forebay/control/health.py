"""Whose turn it is to serve: what is observed and ordered becomes each endpoint's status, and the engine is told."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from forebay.control.engine import Engine, EngineError
from forebay.control.events import Events
from forebay.control.loop import Loop, encode
from forebay.control.overlays import Overlay, lapsed, lifted
from forebay.control.standing import PoolStanding, Told

_log = logging.getLogger("forebay.health")

_TICK: Final = 0.25
"""Seconds between two looks at the counts while nothing happens."""
_GAP: Final = 0.01
"""Seconds between two turns while much happens: what comes in between is taken together."""


class Health:
    """Turns observations and orders into statuses, on a thread of its own beside the loop.

    Whatever holds this thread up delays judgements; the engine's reflexes and the ends of all pauses go on without it.
    """

    def __init__(self, loop: Loop, events: Events, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self._loop = loop
        self._events = events
        self._clock = clock
        self._wall = wall
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._told: dict[str, dict[str, Told]] = {}
        self._seen = 0

    def serve(self, engine: Engine) -> None:
        """Judge what this engine observes."""
        self._engine = engine

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

    def refresh(self) -> None:
        """Have the engine know what is ordered and observed; it does when this returns."""
        with self._lock:
            self.turn()

    def fail_back(self, pool: str) -> bool:
        """Have a pool go back to its first tier now; whether another one served."""
        with self._lock:
            self._engine.stand(encode({"seen": self._seen, "pools": {pool: {"failback": True}}}))
        return True

    def standing(self) -> dict[str, PoolStanding]:
        """How each pool stands now."""
        with self._lock:
            return {}

    def turn(self) -> float:
        """Take in what there is, and tell the engine what follows; returns the seconds until there is something to do again."""
        with self._lock:
            now = self._clock()
            self._lapse()
            observed = json.loads(self._engine.observe())
            self._seen = observed["number"]
            self._publish(now)
        return _TICK

    def _lapse(self) -> None:
        over = lapsed(self._loop.desired.overlays, self._wall())
        for overlay in over:
            # What is kept on disk says itself when it ends.
            self._loop.overlay(lambda overlays, _, key=overlay.key: lifted(overlays, key), lambda _: None)  # type: ignore[misc]  # bound here
            self._events.note("operator", "its time is over", pool=overlay.pool, endpoint=overlay.endpoint, reason="expired")

    def _publish(self, now: float) -> None:
        wanted = self._wanted(now)
        changes = {
            pool: {"endpoints": {name: each.json(now) for name, each in endpoints.items() if self._told.get(pool, {}).get(name) != each}}
            for pool, endpoints in wanted.items()
        }
        changes = {pool: change for pool, change in changes.items() if change["endpoints"]}
        if changes:
            self._engine.stand(encode({"seen": self._seen, "pools": changes}))
        self._told = wanted

    def _wanted(self, now: float) -> dict[str, dict[str, Told]]:
        overlays = self._loop.desired.overlays
        pools = self._loop.effective.snapshot["pools"]
        return {
            pool: {each["id"]: self._standing(overlays, pool, each["id"], now) for each in spec["endpoints"]}
            for pool, spec in pools.items()
        }

    def _standing(self, overlays: Mapping[Any, Overlay], pool: str, endpoint: str, now: float) -> Told:
        serving = overlays.get((pool, endpoint, "serving"))
        weight = overlays.get((pool, endpoint, "weight"))
        left = serving.left(self._wall()) if serving is not None else None
        return Told(
            (serving.status if serving is not None else None) or "healthy",
            None if left is None else round(now + left, 1),
            weight.weight if weight is not None else None,
        )

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                seconds = self.turn()
            except EngineError:
                _log.exception("the engine did not take what it was told of endpoints; what it had goes on")
                seconds = _TICK
            self._engine.wait(seconds)
            self._stopping.wait(_GAP)
