"""The gateway as a Python value, and the running gateway that it makes. The composition root: it knows every room but `cli`."""

import asyncio
import atexit
import os
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Self

from pydantic import PrivateAttr

from forebay.admin.server import AdminServer
from forebay.admin.sockets import doors, take_place
from forebay.config.load import load
from forebay.config.schema import GatewayConfig
from forebay.config.snapshot import listener_specs
from forebay.control import state_dir, systemd
from forebay.control.engine import VERSION, EngineFactory, NativeEngine
from forebay.control.events import Event, Events
from forebay.control.foreground import say, until_told, watching
from forebay.control.handover import Offer
from forebay.control.history import History
from forebay.control.keep import Kept
from forebay.control.loop import Change, Clock
from forebay.control.operator import Operator
from forebay.control.reload import Outcome, Reloader, replacing
from forebay.control.runtime import Runtime
from forebay.control.secret import kept
from forebay.control.signals import Signals
from forebay.control.source import Source
from forebay.control.succession import Succession
from forebay.control.verify import verify
from forebay.errors import Fault, ForebayError, ForkError
from forebay.observe import banner, endpoints, status
from forebay.observe.pool import RunningPool
from forebay.observe.statistics import Statistics
from forebay.types import Address, Secret


class Gateway(GatewayConfig):
    """An HTTP gateway: listeners, routes, pools and limits, with the same names and defaults as the TOML file.

        gateway = Gateway(listen="127.0.0.1:8080", pools={"app": Pool(["10.0.0.1:80", "10.0.0.2:80"])})
        gateway.run()

    Raises:
        ConfigError: with every fault at once.
    """

    # What a reload reads again, and what its state directory is called while it runs in the foreground.
    _source: Source | None = PrivateAttr(default=None)

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a TOML file.

        Raises:
            ConfigError: with every fault at once, each with its file, line and key.
        """
        gateway = load(path, cls)
        gateway._source = Source(str(path), Path(path).absolute())  # noqa: SLF001 - its own, made just now
        return gateway

    def start(self, *, engine: EngineFactory = NativeEngine, clock: Clock = time.monotonic) -> "Running":
        """A running gateway, to be entered: `with gateway.start() as running:`, or `async with`.

        It runs beside whatever the program does: on threads of its own, without signals. `engine` and `clock` are for tests; see
        `forebay.testing`.
        """
        return Running(self, engine=engine, clock=clock)

    def run(
        self, *, name: str | None = None, source: Source | None = None, watch: bool = False, engine: EngineFactory = NativeEngine
    ) -> None:
        """Run in the foreground until SIGTERM or SIGINT; then finish what runs, and cut it at `shutdown_grace`.

        A second SIGINT cuts at once; SIGHUP opens the access log anew and reads `source` again (its own file unless given), which `watch`
        has done whenever that changes. `name` is what its state directory is called. Says on standard error what it does.

        Raises:
            ConfigError, ListenError: before anything has started.
            ForebayError: on another thread than the main one.
        """
        source = source or self._source
        name = name or (source.name if source else None)
        with Signals() as signals:
            succession = Succession(signals.wake)
            with Running(self, name=name, source=source, engine=engine, succession=succession) as running:
                say(*running.banner())
                systemd.ready()
                with watching(running) if watch else nullcontext():
                    until_told(running, signals)
                signals.on_interrupt = running.hurry
                counted = running.statistics().exchanges
                busy = counted.running + counted.tunnels
                if heir := succession.successor:
                    say(banner.handed_over(heir.pid, heir.version, busy))
                else:
                    systemd.stopping()
                    say(*([banner.stopping(busy, running.gateway.shutdown_grace)] if busy else []))
                cut = running.stop()
                say(banner.stopped(max(0, busy - cut), cut))

    def verify(self, *, engine: EngineFactory = NativeEngine) -> list[Fault]:
        """What only the engine can judge, such as whether a regex compiles; listens nowhere and starts nothing."""
        return verify(self, engine)


class Running:
    """A gateway that runs from `with` (or `async with`, or `open`) until the block ends (or `stop`).

    Every method may be called from any thread, in the process that started it.

    Raises:
        ForkError: from every method, in a forked child.
        ForebayError: from every method, before the start.
    """

    def __init__(
        self,
        gateway: GatewayConfig,
        *,
        name: str | None = None,
        source: Source | None = None,
        engine: EngineFactory = NativeEngine,
        clock: Clock = time.monotonic,
        succession: Succession | None = None,
    ) -> None:
        self._declared = gateway
        self._succession = succession or Succession()
        self._engine = engine
        self._admin: AdminServer | None = None
        self._source = source
        self._name = name
        self._verify = partial(verify, engine=engine)
        self._reloader: Reloader | None = None
        self._clock = clock
        self._pid = os.getpid()
        self._runtime: Runtime | None = None
        self._directory = Path()
        self._undo = ExitStack()

    def open(self) -> Self:
        """Start, without a `with` block; `stop` is then the caller's duty.

        Raises:
            ConfigError, ListenError: and then nothing has started.
        """
        if self._runtime is not None:
            raise ForebayError("this gateway was started before", hint="call gateway.start() again for another one")
        self._pid = os.getpid()
        with ExitStack() as undo:
            declared, succession = self._declared, self._succession
            inherited = succession.directory(declared.state_dir)
            self._directory = inherited or state_dir.claim(declared.state_dir, self._name, os.environ)
            sockets = undo.enter_context(doors(self._directory, declared.admin, succession, self._discard))
            numbers = succession.sockets(listener_specs(declared))
            engine = partial(self._engine, sockets=numbers) if numbers else self._engine
            runtime = Runtime(declared, engine, self._clock, partial(kept, self._directory), Kept(self._directory))
            undo.callback(runtime.stop, 0)
            runtime.start()
            history = History(self._directory if self._name else None, time.time)
            self._reloader = Reloader(runtime.loop, history, runtime.events, self._source, self._verify)
            self._runtime = runtime
            # Last, and on its own thread: requests are served already while its imports go on.
            self._admin = AdminServer(self._admin_app, sockets)
            self._admin.start()
            undo.callback(self._admin.stop)
            atexit.register(self._at_exit)
            undo.callback(atexit.unregister, self._at_exit)
            if succession.takes_over(self._directory):
                take_place(self._directory)
            self._undo = undo.pop_all()
        succession.serves()
        return self

    def stop(self, grace: float | None = None) -> int:
        """Accept nothing new, finish what runs, and cut after `grace` seconds what still does (default: `shutdown_grace`).

        Returns how many requests and tunnels were cut. May be called again, also from another thread and with a shorter grace.
        """
        runtime = self._started()
        grace = self.gateway.shutdown_grace if grace is None else grace
        try:
            if self._succession.successor is not None and self._admin is not None:
                self._admin.stop()  # orders go to the other process from now on, and not by chance to this one
                return runtime.hand_over(grace)
            return runtime.stop(grace)
        finally:
            self._undo.close()

    def hurry(self) -> None:
        """Have a stop that is under way cut now; safe in a signal handler."""
        self._started().hurry()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        if self._pid == os.getpid():  # a forked child leaves the block too, and nothing of it is the child's
            self.stop()

    async def __aenter__(self) -> Self:
        opening = asyncio.ensure_future(asyncio.to_thread(self.open))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            await opening
            await asyncio.to_thread(self.stop, 0)
            raise

    async def __aexit__(self, *_: object) -> None:
        try:
            await asyncio.to_thread(self.stop)
        except asyncio.CancelledError:
            self.hurry()
            raise

    @property
    def gateway(self) -> GatewayConfig:
        """What is declared now, live changes included."""
        return self._started().loop.desired.config

    @property
    def addresses(self) -> dict[str, list[str]]:
        """The bound addresses of each listener, with the port that the system gave for port 0."""
        return self._started().engine.addresses()

    @property
    def address(self) -> str:
        """The first address of the first listener, such as `127.0.0.1:8080`.

        Raises:
            ForebayError: once the gateway was told to stop, for then it listens nowhere.
        """
        addresses = self.addresses
        first = next((address for name in self.gateway.all_listeners for address in addresses.get(name, ())), None)
        if first is None:
            raise ForebayError("the gateway has been stopped and listens nowhere", hint="start another one")
        return first

    @property
    def url(self) -> str:
        """The same as a URL, for a client on this machine."""
        address = Address.parse(self.address)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104 - compared, not bound
        return f"http://{Address('tcp', host, address.port)}"

    @property
    def control(self) -> str:
        """The control socket, as `--admin` takes it: `unix:/path`."""
        self._started()
        return f"unix:{self._directory / state_dir.SOCKET}"

    @property
    def pools(self) -> Mapping[str, RunningPool]:
        """The pools by name."""
        return {name: RunningPool(self, name) for name in self.gateway.pools}

    @property
    def ready(self) -> bool:
        """Whether it accepts requests; false from the moment it is told to stop."""
        return not self._started().stopping

    def statistics(self) -> Statistics:
        """Counters, histograms and endpoint states, at this moment."""
        return Statistics.parse(self._started().engine.statistics())

    def status(self) -> dict[str, Any]:
        """The document at `/status`."""
        runtime = self._started()
        loop, health = runtime.loop, runtime.health
        about = status.About(
            VERSION,
            self._pid,
            loop.desired.revision,
            self.ready,
            self.control,
            loop.unresolved(),
            health.standing(),
            runtime.events.counts,
            loop.discovery(),
        )
        return status.document(about, self.statistics())

    def endpoints(self) -> list[dict[str, Any]]:
        """The endpoints of all pools: status, reason, since, next, tier, role, weight and the last probes of each."""
        return endpoints.listed(self.status())

    def events(self, since: int = 0) -> list[Event]:
        """What has happened since the event of that number, the oldest first; the last 4,096 are kept."""
        return self.event_list.since(since)

    @property
    def event_list(self) -> Events:
        """The events, to be watched."""
        return self._started().events

    @property
    def operator(self) -> Operator:
        """Who takes the orders of operators."""
        return self._started().operator

    @property
    def admin_token(self) -> Secret | None:
        """What writes over the admin address must show."""
        return self.gateway.admin_token

    def banner(self) -> list[str]:
        """Where it listens and what it feeds, for people."""
        runtime = self._started()
        return banner.Start(VERSION, self.gateway, self.addresses, runtime.threads, runtime.log_format, self.control).lines()

    def apply(self, gateway: GatewayConfig) -> int:
        """Serve by another configuration from now on; what is the same in both is not touched, connections included.

        Returns the number of the snapshot that serves it.

        Raises:
            ConfigError, ListenError: and then nothing has changed. Also for a key that only a start can change.
        """
        return self.change(partial(replacing, gateway))

    @property
    def source(self) -> Source | None:
        """The file or module that `reload` reads; None for a gateway that was made in Python."""
        return self.reloader.source

    @property
    def reloader(self) -> Reloader:
        """Who reads configurations again, and goes back to earlier ones."""
        self._started()
        assert self._reloader is not None  # noqa: S101 - set with the runtime
        return self._reloader

    def reload(self) -> Outcome:
        """Read its own file or module again and serve that; what `apply` and `set_endpoints` changed since is gone with it.

        Raises:
            ConfigError, ListenError: and then nothing has changed.
            ForebayError: for a gateway that was made in Python.
        """
        return self.reloader.reload()

    def rollback(self, number: int | None = None) -> Outcome:
        """Serve an earlier good configuration again: that of this number, or the one before the present one. Raises as `reload` does."""
        return self.reloader.rollback(number)

    def reopen_log(self) -> None:
        """Open the access log's path anew."""
        self._started().engine.reopen_log()

    def upgrade(self, python: str | None = None) -> dict[str, Any]:
        """Start this program again, perhaps of another version, and have it take over; returns its `pid` and `version`.

        Raises:
            ForebayError: for what is no `run()` in the foreground, and when the new process does not serve; this one then goes on.
        """
        runtime = self._started()
        runtime.keep()
        admin = self._admin.listening(socket.AF_INET, socket.AF_INET6) if self._admin else None
        return self._succession.upgrade(python, lambda: Offer(str(self._directory), runtime.engine.sockets(), admin))

    def _discard(self) -> None:
        if self._succession.successor is None:
            state_dir.discard(self._directory, os.environ)

    def change(self, change: Change) -> int:
        """Serve by what `change` makes of what is declared now; returns the number of the snapshot that serves it.

        Raises:
            ConfigError, ListenError: and then nothing has changed.
        """
        return self._started().loop.change(change)

    def _started(self) -> Runtime:
        if self._runtime is None:
            raise ForebayError("the gateway has not been started", hint="enter it: `with gateway.start() as running:`")
        if os.getpid() != self._pid:
            raise ForkError(
                f"this gateway runs in process {self._pid}, and process {os.getpid()} was forked from it",
                hint="start the gateway after the fork, in the process that uses it",
            )
        return self._runtime

    def _admin_app(self) -> Any:  # noqa: ANN401 - an ASGI application, whose type would cost the import of Starlette here
        from forebay.admin.app import make  # noqa: PLC0415 - on the admin thread: it takes a tenth of a second

        return make(self)

    def _at_exit(self) -> None:
        if self._pid == os.getpid():
            self.stop(0)
