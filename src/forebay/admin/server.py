"""Uvicorn in a thread of its own, leaving the program around it as it was."""

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_STOP_WITHIN = 2.0


class AdminServer:
    """Serves an ASGI application on sockets that listen already, until `stop`.

    The application is made on the server's thread, together with the imports it needs, so that the start of the gateway does not
    wait for them; connections wait in the sockets' queues meanwhile.
    """

    def __init__(self, make_app: "Callable[[], ASGIApp]", sockets: Sequence[socket.socket]) -> None:
        self._make_app = make_app
        self._sockets = list(sockets)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        # Not what the program around has set as its policy (uvloop, say).
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._run, args=[self._loop], name="forebay-admin", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the sockets and end the thread; an answer that is under way gets up to two seconds."""
        if self._loop is not None and self._thread is not None and self._thread.is_alive():
            with suppress(RuntimeError):  # it ended between the two lines
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(2 * _STOP_WITHIN)
        for listener in self._sockets:
            listener.close()

    def listening(self, *families: int) -> int | None:
        """The descriptor of a copy of its first socket of these families; the caller has to close it."""
        found = next((listener for listener in self._sockets if listener.family in families), None)
        return None if found is None else os.dup(found.fileno())

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        # Imported here, on this thread: they take a tenth of a second, and the data path serves already.
        from forebay.admin.uvicorn import serve  # noqa: PLC0415

        try:
            await serve(self._make_app(), self._sockets, self._stopping, _STOP_WITHIN)
        except Exception:
            logging.getLogger("forebay.admin").exception("the admin API has ended; the data path is not affected")
        finally:
            for listener in self._sockets:  # so that a client is refused, and does not wait in a queue for ever
                listener.close()
