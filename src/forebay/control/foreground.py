"""A gateway in the foreground: what it does on signals, and when its file changes."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGHUP
from typing import Final, Protocol

from forebay.control import systemd
from forebay.control.reload import Outcome
from forebay.control.signals import Signals
from forebay.control.source import Source
from forebay.errors import ConfigError, ForebayError

_DEBOUNCE: Final = 200
"""Milliseconds that a file must be left alone before it is read."""


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


def reload(running: Reloadable) -> None:
    """Reload, and say in one block on standard error what changed, or why nothing did."""
    systemd.reloading()
    try:
        outcome = running.reload()
    except ForebayError as error:
        faults = error.faults if isinstance(error, ConfigError) else [error]
        say("forebay: nothing was reloaded, and the last good configuration goes on serving:", *(f"  {fault}" for fault in faults))
    else:
        lines = [*(str(each) for each in outcome.changes), *(f"warning: {each}" for each in outcome.warnings)]
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
    thread = threading.Thread(target=_watch, args=(source.path, _content(source.path), over, lambda: reload(running)), name="forebay-watch")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _watch(path: Path, last: bytes | None, over: threading.Event, changed: Callable[[], None]) -> None:
    from watchfiles import watch  # noqa: PLC0415 - only who watches pays for its import

    for _ in watch(
        path.parent, watch_filter=None, step=_DEBOUNCE, debounce=5 * _DEBOUNCE, stop_event=over, recursive=False, rust_timeout=200
    ):
        content = _content(path)
        # While it is away for a moment, being replaced, there is nothing to read; its return is a change again.
        if content is not None and content != last:
            last = content
            changed()


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def say(*lines: str) -> None:
    """Words for whoever runs it, all at once."""
    if lines:
        print("\n".join(lines), file=sys.stderr, flush=True)  # noqa: T201 - it is a program's foreground
