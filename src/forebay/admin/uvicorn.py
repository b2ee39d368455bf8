"""Uvicorn without what it does to the process around it: signals, logging, ten wake-ups a second."""

import asyncio
import logging
import socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_LOOK = 0.005


class _Protocol(H11Protocol):
    """Logs to our own logger; Uvicorn's may belong to the application that embeds the gateway."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - whatever Uvicorn passes
        super().__init__(*args, **kwargs)
        self.logger = logging.getLogger("forebay.admin")
        self.access_log = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as Uvicorn has it
        """Note for each request whether it came over a Unix socket: a client address that is missing does not say so, since a TCP
        client that has gone away has none either.
        """
        socket_of = transport.get_extra_info("socket")
        self.app_state = {**self.app_state, "unix": socket_of is not None and socket_of.family == socket.AF_UNIX}
        super().connection_made(transport)


class _Server(uvicorn.Server):
    """Uses `startup` alone: `serve` would log and take signals, `main_loop` wakes up every 100 ms."""

    async def serve_until(self, stopping: asyncio.Event, sockets: list[socket.socket], grace: float) -> None:
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup(sockets=sockets)
        await stopping.wait()
        loop = asyncio.get_running_loop()
        end = loop.time() + grace
        # asyncio loses a connection that it is still accepting when the server closes (3.11: an assertion, swallowed).
        while loop.time() < end and (accepting := asyncio.all_tasks() - self.server_state.tasks - {asyncio.current_task()}):
            await asyncio.wait(accepting, timeout=grace)
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections and loop.time() < end:  # noqa: ASYNC110 - Uvicorn tells nobody when one is gone
            await asyncio.sleep(_LOOK)


async def serve(app: ASGIApp, sockets: list[socket.socket], stopping: asyncio.Event, grace: float) -> None:
    """Serve `app` on listening sockets until `stopping` is set; then answers under way get `grace` seconds."""
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        workers=1,
        # Even access_log=False would reconfigure Uvicorn's logger; the protocol above switches the log off instead.
        log_config=None,
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )
    await _Server(config).serve_until(stopping, sockets, grace)
