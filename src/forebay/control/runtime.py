"""One engine with the loop that keeps it current, from bound sockets to the last request."""

import logging
import sys
import threading
import time
from collections.abc import Callable
from math import inf

from forebay.config.schema import GatewayConfig
from forebay.control import learned
from forebay.control.discovery import Discovery, Memory
from forebay.control.engine import EngineFactory, NativeEngine, refusals
from forebay.control.events import Events
from forebay.control.files import raise_limit
from forebay.control.health import Health
from forebay.control.keep import Kept
from forebay.control.loop import Clock, Loop, encode
from forebay.control.operator import Operator
from forebay.control.overlays import load, save
from forebay.control.secret import fresh
from forebay.control.threads import count
from forebay.control.workers import Workers
from forebay.errors import ForebayError

_log = logging.getLogger("forebay.control")

_LOOKUPS_AT_ONCE = 16
_SLICE = 0.05  # seconds of native waiting between two looks at the deadline, which a signal may have moved


class Runtime:
    """The data path and its control. Made, it has bound its listeners; started, it serves; stopped, it is gone.

    `secret` signs the cookies of pools without a secret of their own; see `Loop`. `kept` holds what outlives it.

    Raises:
        ConfigError, ListenError: when made; nothing has started then.
    """

    def __init__(
        self,
        config: GatewayConfig,
        engine_factory: EngineFactory = NativeEngine,
        clock: Clock = time.monotonic,
        secret: Callable[[], bytes] = fresh,
        kept: Kept | None = None,
    ) -> None:
        self.threads = count(config.threads)
        self.log_format = log_format(config.access_log)
        self._clock = clock
        self._workers = Workers("forebay-lookup", _LOOKUPS_AT_ONCE)
        self._kept = kept = kept or Kept(None)
        self.discovery = Discovery(self._workers.submit, self._wake, clock, memory=Memory(kept))
        self.loop = Loop(config, self.discovery, clock, secret, load(kept, time.time()))
        with refusals():
            snapshot = encode(self.loop.effective.snapshot)
            self.engine = engine_factory(snapshot, self.threads, config.access_log, self.log_format, self.loop.callables)
        self.loop.serve(self.engine)
        self.events = Events(time.time)
        self.health = Health(self.loop, self.engine, self.events, clock, time.time)
        self.operator = Operator(self.loop, self.health, self.events, lambda overlays: save(overlays, kept), time.time)
        self.stopping = self.handed_over = False
        self.deadline = inf
        self._one_stop = threading.Lock()
        self._cut: int | None = None

    def start(self) -> None:
        """Serve. Names are looked up from now on, beside it."""
        raise_limit()
        with refusals():
            self.engine.start()
        self.loop.start()
        learned.load(self.health, self._kept, time.time())
        self.health.start()

    def stop(self, grace: float) -> int:
        """Accept nothing new, finish what runs, and cut after `grace` seconds what still does; returns how many were cut.

        May be called again, also from another thread while the first call waits; the earliest deadline counts.
        """
        self.deadline = min(self.deadline, self._clock() + grace)
        with self._one_stop:
            if self._cut is None:
                self._cut = self._end()
        return self._cut

    def hand_over(self, grace: float) -> int:
        """Accept nothing more, as another process does; finish what runs and answer what still comes on kept connections, each of which is
        then closed. Cut after `grace` seconds what still runs; returns how many were cut.
        """
        self.handed_over = self.stopping = True
        self.deadline = min(self.deadline, self._clock() + grace)
        self.engine.hand_over()
        while (left := self.deadline - self._clock()) > 0:
            begun, slice_ = self._clock(), min(left, _SLICE)
            # It returns before its time only when no connection is left.
            if not self.engine.wait_idle(slice_) and self._clock() - begun < slice_:
                break
        return self.stop(0)

    def hurry(self) -> None:
        """Have a stop that is under way cut now. Takes no lock, so that a signal handler may call it."""
        self.deadline = -inf

    def _end(self) -> int:
        self.stopping = True
        try:
            self.loop.stop()
            self.health.stop()
            if not self.handed_over:  # then another process has it, and has learned more since
                self.keep()
            self._workers.stop()
            self.discovery.stop()
            self.engine.stop_accepting()
            while (left := self.deadline - self._clock()) > 0 and self.engine.wait_idle(min(left, _SLICE)):
                pass
        finally:
            # Whatever interrupts the waiting (KeyboardInterrupt, say), nothing goes on running.
            cut = self.engine.shutdown()
            self.events.close()
        return cut

    def keep(self) -> None:
        """Keep on disk what was learned of endpoints, for the next process."""
        try:
            learned.save(self.health, self._kept)
        except ForebayError as error:
            _log.warning("what was learned of endpoints is not kept: %s", error)

    def _wake(self) -> None:
        self.loop.wake()


def log_format(access_log: str) -> str:
    """`text` where a person reads along, `json` everywhere else."""
    stream = {"stdout": sys.stdout, "stderr": sys.stderr}.get(access_log)
    return "text" if stream is not None and stream.isatty() else "json"
