"""Clients in a process of their own: `load.py '{"address": ..., ...}'`, alone and on the standard library. The keys are those of `Plan`.

Each client asks again as soon as it has its answer (and after its pause); nothing is repeated, so that a request that fails is lost. It
ends at a line of standard input, then prints one line of JSON: the answers, and `lag`, the longest that its own loop was held up, as pairs
of a time and seconds. Times are CLOCK_MONOTONIC.
"""

import asyncio
import json
import random
import sys
import time
from dataclasses import dataclass, field, fields
from itertools import count

_BEAT = 0.005


@dataclass(frozen=True)
class Plan:
    """What the clients do."""

    address: str
    clients: int = 16
    posts: float = 0.0  # share of requests that are POSTs
    pause: float = 0.0  # seconds between an answer and the next request
    rate: float = 0.0  # requests a second of all clients; 0 is as fast as answers come
    beat: float = 0.0  # all clients begin their next request at the next multiple of it
    path: str = "/"
    body: int = 4
    waits: list[list[float]] = field(default_factory=list)  # [share, seconds]: so many requests ask for so long an answer
    patience: float = 15.0
    seed: int = 1


class Client:
    """One connection, opened anew when the gateway has closed it."""

    def __init__(self, plan: Plan) -> None:
        self._host, _, port = plan.address.rpartition(":")
        self._port, self._plan = int(port), plan
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, number: int, method: str, query: str) -> dict[str, object]:
        """One request, and what came of it."""
        start = time.monotonic()
        answer: dict[str, object] = {
            "number": number,
            "method": method,
            "query": query,
            "start": start,
            "status": 0,
            "server": "",
            "said": "",
        }
        try:
            async with asyncio.timeout(self._plan.patience):
                answer |= await self._exchange(number, method, query)
        except (OSError, asyncio.IncompleteReadError, ValueError, TimeoutError) as error:
            answer["said"] = f"{type(error).__name__} {error}".strip()
        return answer | {"end": time.monotonic()}

    async def _exchange(self, number: int, method: str, query: str) -> dict[str, object]:
        reader, writer = self._streams or await asyncio.open_connection(self._host, self._port)
        self._streams = None
        body = "x" * self._plan.body if method == "POST" else ""
        length = f"Content-Length: {len(body)}\r\n" if method == "POST" else ""
        try:
            writer.write(f"{method} {self._plan.path}?id={number}{query} HTTP/1.1\r\nHost: load.test\r\n{length}\r\n{body}".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, *lines = head.split("\r\n")
            found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            content = (await reader.readexactly(int(found["content-length"]))).decode()
        except BaseException:
            writer.close()
            raise
        if found.get("connection", "").lower() == "close":
            writer.close()
        else:
            self._streams = (reader, writer)
        code = int(status.split()[1])
        # A proxy's own answer says why in this field.
        why = found.get("proxy-status", content)[:300] if code != 200 else ""
        return {"status": code, "server": found.get("x-server", ""), "said": why, "all_down": found.get("forebay-all-down", "")}

    def close(self) -> None:
        """End its connection."""
        if self._streams:
            self._streams[1].close()


class Crowd:
    """The clients, and what they have got."""

    def __init__(self, plan: Plan) -> None:
        self.answers: list[dict[str, object]] = []
        self.lag: list[tuple[float, float]] = []
        self._plan, self._over = plan, asyncio.Event()
        self._numbers, self._draw = count(), random.Random(plan.seed)
        self._began = time.monotonic()

    async def run(self) -> None:
        """Ask until standard input has a line or ends."""
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        async with asyncio.TaskGroup() as group:
            beating = group.create_task(self._beat())
            clients = [group.create_task(self._ask(Client(self._plan))) for _ in range(self._plan.clients)]
            await lines.readline()
            self._over.set()
            await asyncio.wait(clients)
            beating.cancel()

    async def _ask(self, client: Client) -> None:
        while not self._over.is_set():
            number = next(self._numbers)
            if self._plan.rate and not await self._is_due(number):
                break
            method = "POST" if self._draw.random() < self._plan.posts else "GET"
            self.answers.append(await client.ask(number, method, self._query()))
            pause = self._plan.pause
            if self._plan.beat:
                pause = self._plan.beat - (time.monotonic() - self._began) % self._plan.beat
            await asyncio.sleep(pause)
        client.close()

    async def _is_due(self, number: int) -> bool:
        """Wait until the request of that number is due by the rate; false where it is over before."""
        try:
            await asyncio.wait_for(self._over.wait(), max(0.0, self._began + number / self._plan.rate - time.monotonic()))
        except TimeoutError:
            return True
        return False

    def _query(self) -> str:
        drawn = self._draw.random()
        for share, seconds in self._plan.waits:
            if drawn < share:
                return f"&wait={seconds}"
            drawn -= share
        return ""

    async def _beat(self) -> None:
        while True:
            due = time.monotonic() + _BEAT
            await asyncio.sleep(_BEAT)
            late = time.monotonic() - due
            if late > _BEAT:
                self.lag.append((due, late))


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    crowd = Crowd(Plan(**{each.name: given[each.name] for each in fields(Plan) if each.name in given}))
    asyncio.run(crowd.run())
    print(json.dumps({"answers": crowd.answers, "lag": crowd.lag}))  # noqa: T201 - its result
