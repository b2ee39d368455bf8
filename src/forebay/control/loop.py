"""The one loop: observe, decide, publish."""

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cache
from math import inf
from typing import Any, Protocol

from forebay.config.schema import Endpoint, GatewayConfig
from forebay.config.snapshot import Known, delta, needs_secret, snapshot
from forebay.config.sources import Source, collected, expanded, sources
from forebay.control.callables import callables
from forebay.control.engine import Callables, Engine, refusals
from forebay.control.overlays import NONE, Overlays
from forebay.control.secret import fresh
from forebay.control.state import Desired, Effective
from forebay.errors import ForebayError

Clock = Callable[[], float]
"""Seconds that never go back, such as `time.monotonic`."""

Change = Callable[[GatewayConfig], GatewayConfig]
"""Computes the configuration to have from the one in force; whatever it raises leaves everything as it is."""

_log = logging.getLogger("forebay.control")
_RETRY = 1.0
_PATIENCE = 2.0


class Observer(Protocol):
    """Where endpoints and the addresses of names come from; see `Discovery`."""

    def want(self, sources: Mapping[str, Source]) -> None:
        """Look after these from now on."""

    def resolved(self) -> Mapping[str, Sequence[str]]:
        """The addresses of each name, by its key."""

    def lists(self) -> Mapping[str, Sequence[Endpoint]]:
        """The endpoints of each service and file, likewise."""

    def errors(self) -> Mapping[str, str]:
        """Why something has no fresh answer."""

    def report(self) -> list[dict[str, Any]]:
        """How good each is, for the status."""

    def doubt(self, pool: str, endpoint: str) -> None:
        """An endpoint cannot be connected to: look up at once what it came from. From any thread."""

    def pending(self) -> AbstractSet[str]:
        """What nothing at all is known of yet, by key."""

    def turn(self, now: float) -> float:
        """Take in what is new; returns when there will be more to do."""


class Loop:
    """Keeps an engine serving what is desired.

    Two things lead to a publication: a change of the configuration, published on the caller's thread so that it learns of
    every error; and an observation, published by the loop's own thread, which sleeps until an observation or a due time.

    `secret` gives what the cookies of pools without a secret of their own are signed with; it is asked once, when the first needs it.
    `overlays` are the orders in force at the start.
    """

    def __init__(
        self, config: GatewayConfig, observer: Observer, clock: Clock, secret: Callable[[], bytes] = fresh, overlays: Overlays = NONE
    ) -> None:
        self.callables = callables(config)
        observer.want(sources(config))
        self._observer = observer
        self._secret = cache(secret)
        self.desired = Desired(config, overlays=overlays)
        self._known: Known | None = None
        self.effective = self._snapshot(config, 1)
        self._clock = clock
        self._engine: Engine | None = None
        self._lock = threading.Condition(threading.RLock())
        self._wake = threading.Event()
        self._observed: tuple[GatewayConfig, dict[str, Sequence[str]], dict[str, Sequence[Endpoint]]] | None = None
        self._awaited: list[Mapping[str, Source]] = []
        self._stopping = False
        self._thread: threading.Thread | None = None

    def serve(self, engine: Engine) -> None:
        """Publish to this engine from now on; it was made with the first snapshot."""
        self._engine = engine

    def start(self) -> None:
        """Turn on a daemon thread of its own."""
        self._thread = threading.Thread(target=self._run, name="forebay-control", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the loop; when this returns, nothing more is published."""
        with self._lock:
            self._stopping = True
            self._lock.notify_all()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def wake(self) -> None:
        """Say, from any thread, that there is something to observe."""
        self._wake.set()

    def change(self, change: Change) -> int:
        """Change what is desired and publish it; returns the number of the snapshot that serves it.

        What is new to be looked up is looked up first, for two seconds at most, so that a pool is not left without addresses meanwhile.
        `change` may be called more than once.

        Raises:
            ConfigError, ListenError: and then nothing has changed.
            ForebayError: when the loop has been stopped.
        """
        # Modules are imported here, where only the caller waits for them.
        callables(change(self.desired.config))
        with self._lock:
            wanted = sources(change(self.desired.config))
            self._awaited.append(wanted)
            try:
                self._await(wanted)
                if self._stopping:
                    raise ForebayError("the gateway has been stopped", hint="start another one")
                config = change(self.desired.config)  # others may have changed it while this one waited
                functions = callables(config)
                self._publish(config, functions)
                self.callables = functions
                self.desired = replace(self.desired, config=config, revision=self.desired.revision + 1)
            finally:
                self._awaited.remove(wanted)
                self._look_after()
            self.wake()
            return self.effective.number

    def overlay(self, change: Callable[[Overlays, int], Overlays], keep: Callable[[Overlays], None]) -> None:
        """Change what operators have ordered. `change` is given the orders and the revision that the new ones will have; `keep` writes them
        down, and whatever it raises leaves everything as it is.
        """
        with self._lock:
            revision = self.desired.revision + 1
            overlays = change(self.desired.overlays, revision)
            keep(overlays)
            self.desired = replace(self.desired, overlays=overlays, revision=revision)

    def turn(self) -> float:
        """Observe, decide and publish once; returns the seconds until there is something to do again."""
        with self._lock:
            now = self._clock()
            due = self._observer.turn(now)
            # Most look-ups say what was known, and making a snapshot of thousands of routes takes longer than all of them.
            observed = self.desired.config, dict(self._observer.resolved()), dict(self._observer.lists())
            try:
                if self._observed is None or self._observed[0] is not observed[0] or self._observed[1:] != observed[1:]:
                    self._publish(self.desired.config, self.callables)
                self._observed = observed
            except ForebayError:
                _log.exception("a snapshot could not be published; the last one goes on serving")
                due = min(due, now + _RETRY)
            self._lock.notify_all()
        return max(0.0, due - now)

    def doubt(self, pool: str, endpoint: str) -> None:
        """Have the name behind an endpoint looked up at once, for it cannot be connected to. Takes no lock."""
        self._observer.doubt(pool, endpoint)

    def unresolved(self) -> dict[str, str]:
        """For each name, service and file without a good last answer: why."""
        with self._lock:
            return dict(self._observer.errors())

    def discovery(self) -> list[dict[str, Any]]:
        """What is looked up, and how good it is; for the status."""
        with self._lock:
            return self._observer.report()

    def _look_after(self) -> None:
        every = (*self._awaited, sources(self.desired.config))
        self._observer.want(collected(source for each in every for source in each.values()))

    def _await(self, wanted: Mapping[str, Source]) -> None:
        if self._thread is None or wanted.keys() <= sources(self.desired.config).keys():
            return
        self._look_after()
        self.wake()
        self._lock.wait_for(lambda: self._stopping or not wanted.keys() & self._observer.pending(), _PATIENCE)

    def _snapshot(self, config: GatewayConfig, number: int) -> Effective:
        secret = self._secret() if needs_secret(config) else b""
        found = expanded(config, self._observer.lists())
        new = snapshot(found, number, self._observer.resolved(), secret, self._known)
        self._known = (found, new)
        return Effective(new)

    def _publish(self, config: GatewayConfig, functions: Callables) -> None:
        new = self._snapshot(config, self.effective.number + 1)
        if self._engine is None or new.serves_the_same_as(self.effective):
            return
        with refusals():
            self._engine.apply(encode(delta(self.effective.snapshot, new.snapshot)), functions)
        self.effective = new

    def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            seconds = self.turn()
            self._wake.wait(None if seconds == inf else seconds)


def encode(value: Mapping[str, Any]) -> bytes:
    """The one JSON form in which snapshots and deltas cross the border."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
