"""Changing the configuration of a running gateway as a whole: by reading its file again, or by going back to an earlier one."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from forebay.config.changes import Change, changes, only_by_a_start
from forebay.config.check import warnings
from forebay.config.schema import GatewayConfig
from forebay.control.events import Events
from forebay.control.history import History
from forebay.control.loop import Loop
from forebay.control.source import Source, find
from forebay.errors import ConfigError, Fault, ForebayError

Verify = Callable[[GatewayConfig], list[Fault]]
"""What only the engine can judge of a configuration, without serving it."""


class _Read(Protocol):
    def __call__(self, *, keep: bool) -> AbstractContextManager[GatewayConfig]: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reload or rollback did, or would do. `snapshot` is the number of the snapshot that serves it, `configuration` its number in
    the history; both None where nothing was done.
    """

    origin: str
    changes: list[Change]
    warnings: list[Fault]
    snapshot: int | None = None
    configuration: int | None = None

    def json(self) -> dict[str, Any]:
        """As the admin API tells it."""
        value = asdict(self)
        value["changes"] = [{**asdict(change), "text": str(change)} for change in self.changes]
        return value


class Reloader:
    """Reads, compares, checks and applies, one reload or rollback at a time.

    Whatever is at fault leaves everything as it is. What the new configuration has unchanged is not touched. It replaces the whole old one:
    what `Running.apply` or `set_endpoints` changed since is gone with it; what operators ordered (drain, weight, hold) stays.
    """

    def __init__(self, loop: Loop, history: History, events: Events, source: Source | None, verify: Verify) -> None:
        self.history = history
        self.source = source
        self._loop = loop
        self._events = events
        self._verify = verify
        self._one = threading.Lock()
        history.served(loop.desired.config, f"start with {source.text}" if source else "start")

    def reload(self, file: str | None = None, *, dry_run: bool = False) -> Outcome:
        """Read the gateway's own file or module again, or this once `file`, and serve it.

        Raises:
            ConfigError: with every fault, those of keys that only a start can change too.
            ListenError: for an address that cannot be had.
            ForebayError: for a gateway that was made in Python, where no `file` is named.
        """
        source = find(file) if file is not None else self.source
        if source is None:
            hint = "name a file: `forebay reload FILE`, or start it with `forebay run MODULE:ATTRIBUTE`"
            raise ForebayError("this gateway was made in Python, and has no file to be read again", hint=hint)
        with self._one:
            return self._change(source.read, f"reload of {source.text}", dry_run=dry_run)

    def rollback(self, number: int | None = None, *, dry_run: bool = False) -> Outcome:
        """Serve the configuration of that number again; with None the one that served before the present one.

        Raises:
            ForebayError: for one that is not kept.
            ConfigError, ListenError: as `reload`.
        """
        with self._one:
            entry = self.history.find(number)

            @contextmanager
            def read(*, keep: bool) -> Iterator[GatewayConfig]:
                del keep  # it lies in the history either way
                yield entry.config(os.environ, GatewayConfig)

            return self._change(read, f"rollback to {entry.number}", dry_run=dry_run, number=entry.number)

    def _change(self, read: _Read, origin: str, *, dry_run: bool, number: int | None = None) -> Outcome:
        try:
            with read(keep=not dry_run) as config:
                return self._plan(config, origin) if dry_run else self._serve(config, origin, number)
        except ForebayError as error:
            if not dry_run:
                self._events.note("reload", f"{origin} changed nothing: {str(error).splitlines()[0]}", reason="refused")
            raise

    def _plan(self, config: GatewayConfig, origin: str) -> Outcome:
        served = self._loop.desired.config
        faults = [*only_by_a_start(served, config), *self._verify(config)]
        if faults:
            raise ConfigError(faults)
        return Outcome(origin, changes(served, config), warnings(config))

    def _serve(self, config: GatewayConfig, origin: str, number: int | None) -> Outcome:
        replaced = self._loop.desired.config

        def change(old: GatewayConfig) -> GatewayConfig:
            nonlocal replaced
            replaced = old  # others may have changed it while this one waited
            return replacing(config, old)

        snapshot = self._loop.change(change)
        found = changes(replaced, config)
        if number is None:
            number = self.history.served(config, origin)
        else:
            self.history.back_at(number)
        self._events.note("reload", f"{origin}: {len(found)} changes, snapshot {snapshot}", reason="served")
        return Outcome(origin, found, warnings(config), snapshot, number)


def replacing(new: GatewayConfig, old: GatewayConfig) -> GatewayConfig:
    """The change of a loop from one configuration to another.

    Raises:
        ConfigError: for keys that only a start can change.
    """
    faults = only_by_a_start(old, new)
    if faults:
        raise ConfigError(faults)
    return new
