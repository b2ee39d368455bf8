"""The demo's load: so many requests a second, whether or not the ones before have been answered, with a client of its own."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

PATIENCE = 5.0
_REQUEST = b"GET /hello HTTP/1.1\r\nHost: demo\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """What became of one request: the server that answered it in full, or why it is lost."""

    seconds: float
    server: str | None = None
    lost: str | None = None


class Client:
    """Keeps connections and uses each for one request at a time. Repeats nothing: a request that fails is lost."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def get(self) -> Answer:
        """Send one request and read its answer to the end."""
        start = asyncio.get_running_loop().time()
        server = lost = None
        try:
            async with asyncio.timeout(PATIENCE):
                server = await self._exchange()
        except TimeoutError:
            lost = f"no whole answer within {PATIENCE:g} s"
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            lost = str(error) or type(error).__name__
        return Answer(asyncio.get_running_loop().time() - start, server, lost)

    def close(self) -> None:
        """Close the kept connections."""
        for _, writer in self._idle:
            writer.close()

    async def _exchange(self) -> str:
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(_REQUEST)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, *lines = head.split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            await reader.readexactly(int(fields.get("content-length", "0")))
        except BaseException:
            writer.close()
            raise
        if fields.get("connection", "").lower() == "close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        if status.split()[1] != "200":
            raise ValueError(f"answered with {status.partition(' ')[2]}")
        if "x-server" not in fields:
            raise ValueError("the answer names no server")
        return fields["x-server"]


async def drive(client: Client, rate: float, going: Callable[[], bool], note: Callable[[Answer], None]) -> None:
    """Send `rate` requests a second while `going()`; each answer goes to `note`. Returns when the last one is in."""
    loop = asyncio.get_running_loop()
    start, sent = loop.time(), 0

    async def one() -> None:
        note(await client.get())

    async with asyncio.TaskGroup() as group:
        while going():
            group.create_task(one())
            sent += 1
            # Against the start, not the last request, so that a pause of this machine is made up for.
            await asyncio.sleep(start + sent / rate - loop.time())
