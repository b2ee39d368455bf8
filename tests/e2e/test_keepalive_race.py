"""Servers that close idle connections at the very moment at which requests come."""

import asyncio
import contextlib
import random
from collections import Counter
from pathlib import Path

import pytest

from .programs import gateway, toml

pytestmark = pytest.mark.e2e

LIMIT = 0.2
"""Seconds after which the server closes an idle connection."""
NEAR = 0.006
"""How far from that limit a gap is at most, in seconds."""
WORK = 0.01
CLIENTS, REQUESTS = 48, 12  # of each


class Hasty:
    """A server that counts what it was asked, by id, and closes a connection once it was idle for `LIMIT`."""

    def __init__(self) -> None:
        self.ran: Counter[str] = Counter()
        self.connections = 0
        self.open: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer each request after `WORK`."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.open.add(task)
        try:
            while True:
                async with asyncio.timeout(LIMIT):
                    head = await reader.readuntil(b"\r\n\r\n")
                self.ran[head.split(b" ", 2)[1].decode()] += 1
                await asyncio.sleep(WORK)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        finally:
            self.open.discard(task)


async def client(address: str, method: str, number: int, chance: random.Random) -> list[str]:
    """Send requests with gaps of about the limit, some of them far shorter; returns the ids of those that were lost."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lost = []
    for turn in range(REQUESTS):
        name = f"/{number}-{turn}"
        writer.write(f"{method} {name} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200 "):
            lost.append(name)
        near = chance.random() < 0.8
        await asyncio.sleep(LIMIT + chance.uniform(-NEAR, NEAR) if near else chance.uniform(0.0, LIMIT / 2))
    writer.close()
    await writer.wait_closed()
    return lost


async def race(folder: Path, method: str) -> tuple[Hasty, list[str]]:
    hasty = Hasty()
    server = await asyncio.start_server(hasty.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with gateway(folder, toml(f"127.0.0.1:{port}")) as running:
        clients = (client(running.address, method, number, random.Random(number)) for number in range(CLIENTS))
        lost = [name for names in await asyncio.gather(*clients) for name in names]
    server.close()
    await asyncio.gather(*hasty.open)
    return hasty, lost


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_no_request_is_lost_or_run_twice_while_its_server_closes_idle_connections(method: str, folder: Path) -> None:
    hasty, lost = asyncio.run(race(folder, method))
    assert lost == []
    assert len(hasty.ran) == CLIENTS * REQUESTS
    if method == "POST":
        assert hasty.ran.most_common(1)[0][1] == 1, "none ran twice"
    assert hasty.connections < CLIENTS * REQUESTS, "connections are used again all the same"
