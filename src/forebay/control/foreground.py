"""A gateway in the foreground: what it does on signals, and when its file changes."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGHUP
from typing import Any, Final, Protocol

from forebay.control import systemd
from forebay.control.reload import Outcome
from forebay.control.signals import Signals
from forebay.control.source import Source
from forebay.errors import ConfigError, ForebayError

_DEBOUNCE: Final = 200
"""Milliseconds that a file must be left alone before it is read."""

_LOOK: Final = 1000
"""Milliseconds after which it is looked at in any case."""


class Reloadable(Protocol):
    """The part of a running gateway that is needed here."""

    @property
    def source(self) -> Source | None:
        """Where it was declared."""

    def reload(self) -> Outcome:
        """Read that again and serve it."""

    def reopen_log(self) -> None:
        """Open the access log anew."""


def until_told(running: Reloadable, signals: Signals) -> bool:
    """Obey SIGHUP until SIGTERM or SIGINT comes, or another process has taken over; whether that was it."""
    for received in signals:
        if received is None:
            return True
        if received != SIGHUP:
            return False
        running.reopen_log()
        if running.source is not None:
            reload(running)
    return False


def reload(running: Reloadable, *, quiet: bool = False) -> None:
    """Reload, and say in one block on standard error what changed, or why nothing did; `quiet` says nothing where nothing differs."""
    systemd.reloading()
    try:
        outcome = running.reload()
    except ForebayError as error:
        faults = error.faults if isinstance(error, ConfigError) else [error]
        say("forebay: nothing was reloaded, and the last good configuration goes on serving:", *(f"  {fault}" for fault in faults))
    else:
        lines = [*(str(each) for each in outcome.changes), *(f"warning: {each}" for each in outcome.warnings)]
        if outcome.changes or not quiet:
            say(f"forebay: {outcome.origin}: {'nothing differs' if not outcome.changes else 'serves'}", *(f"  {line}" for line in lines))
    systemd.ready()


@contextmanager
def watching(running: Reloadable) -> Iterator[None]:
    """While inside, reload when the file changes.

    The folder is watched, not the file: editors and deployments put a new file, or a link to one, in its place. What it holds is compared:
    the same content in a new file is no change.

    Raises:
        ForebayError: for a gateway that was made in Python.
    """
    source = running.source
    if source is None:
        raise ForebayError("there is no file to watch", hint="give `forebay run --watch` a TOML file or MODULE:ATTRIBUTE")
    over = threading.Event()
    # The file may have changed since it was read, so that it is read once more; a module is not executed again without need.
    last = _content(source.path) if source.module else None
    thread = threading.Thread(target=_watch, args=(source.path, last, over, running), name="forebay-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _watch(path: Path, last: bytes | None, over: threading.Event, running: Reloadable) -> None:
    from watchfiles import watch  # noqa: PLC0415 - only who watches pays for its import

    options: Any = {"watch_filter": None, "recursive": False, "step": _DEBOUNCE, "debounce": 5 * _DEBOUNCE}
    # It is looked at once a second too: some file systems, those of networks above all, tell of no change.
    for _ in watch(path.parent, stop_event=over, rust_timeout=_LOOK, yield_on_timeout=True, **options):
        content = _content(path)
        # While it is away for a moment, being replaced, there is nothing to read; its return is a change again.
        if content is not None and content != last:
            first, last = last is None, content
            reload(running, quiet=first)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def say(*lines: str) -> None:
    """Words for whoever runs it, all at once."""
    if lines:
        print("\n".join(lines), file=sys.stderr, flush=True)  # noqa: T201 - it is a program's foreground
