"""Signals of a gateway in the foreground, taken on the main thread, one after the other."""

import signal
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from types import FrameType
from typing import Any, Self

from forebay.errors import ForebayError

_TAKEN = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """While entered, SIGTERM, SIGINT and SIGHUP are queued for whoever iterates, and nothing else happens on them.

    Raises:
        ForebayError: when entered on another thread than the main one, which alone receives signals.
    """

    def __init__(self) -> None:
        self.on_interrupt: Callable[[], None] | None = None
        self._queue: SimpleQueue[signal.Signals | None] = SimpleQueue()  # the one queue that a handler may put into
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            message = "run() takes signals, which only the main thread receives"
            raise ForebayError(message, hint="use `with gateway.start() as running:` on other threads")
        self._previous = {each: signal.signal(each, self._note) for each in _TAKEN}
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._previous.items():
            signal.signal(each, handler)

    def __iter__(self) -> Iterator[signal.Signals | None]:
        while True:
            yield self._queue.get()

    def wake(self) -> None:
        """Have whoever iterates get None, in the place of a signal."""
        self._queue.put(None)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.on_interrupt is not None:
            self.on_interrupt()
        else:
            self._queue.put(signal.Signals(number))
