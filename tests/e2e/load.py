"""A load in a process of its own: so many clients, each of which asks again as soon as it has its answer.

Run as a script, `load.py ADDRESS METHOD CLIENTS ANSWERS SECONDS`, it goes on until it has so many answers or its standard input ends, at
most SECONDS, and then prints its answers. Each line of its input has it print one once there are so many more answers. It repeats nothing:
a request that fails is lost.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import astuple, dataclass
from itertools import count
from typing import Self

_PATIENCE = 10.0


@dataclass(frozen=True)
class Answer:
    """One request: when it was sent and over (`time.monotonic`, the same clock in all processes of a machine), and what became of it."""

    number: int
    start: float
    end: float
    server: str  # empty when it is lost
    lost: str  # why; empty when it is not

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


class Load:
    """The load, as the test sees it. Entered, it runs."""

    def __init__(self, address: str, *, method: str = "GET", clients: int = 16, answers: int | None = None) -> None:
        self._command = [sys.executable, __file__, address, method, str(clients), str(answers or 1_000_000), "60"]
        self._bounded = answers is not None
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def until_answered(self, more: int) -> float:
        """Wait until there are so many more answers; returns the time then."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{more}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == f"{more}\n"
        return time.monotonic()

    def finish(self) -> list[Answer]:
        """Return all answers, in the order in which they came, once there are as many as it was made for.

        Without a number it ends now: each client after the request that it has in hand.
        """
        assert self._process is not None
        if self._bounded:
            self._process.wait(60)
        printed, _ = self._process.communicate(timeout=60)
        assert self._process.returncode == 0
        return sorted((Answer(*each) for each in json.loads(printed)), key=lambda answer: answer.end)

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        with self._process:
            self._process.kill()


def lost(answers: list[Answer]) -> list[Answer]:
    """Those that no server answered."""
    return [answer for answer in answers if answer.lost]


def shares(answers: list[Answer], start: float, end: float) -> dict[str, float]:
    """The share of each server in the requests that were sent and answered within a time."""
    counted = Counter(answer.server for answer in answers if not answer.lost and start <= answer.start and answer.end <= end)
    return {server: requests / counted.total() for server, requests in counted.items()}


def percentile(answers: list[Answer], share: float) -> float:
    """The time in seconds within which that share of the requests was answered."""
    ordered = sorted(answer.seconds for answer in answers)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class _Client:
    """One connection, opened anew when the gateway closes it."""

    def __init__(self, address: str, method: str) -> None:
        self._host, _, self._port = address.rpartition(":")
        self._method = method
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, number: int) -> Answer:
        start = time.monotonic()
        server = why = ""
        try:
            async with asyncio.timeout(_PATIENCE):
                server = await self._exchange(number)
        except (OSError, asyncio.IncompleteReadError, ValueError, TimeoutError) as error:
            why = str(error) or type(error).__name__
        return Answer(number, start, time.monotonic(), server, why)

    async def _exchange(self, number: int) -> str:
        reader, writer = self._streams or await asyncio.open_connection(self._host, int(self._port))
        self._streams = None
        body = "Content-Length: 4\r\n\r\nbody" if self._method == "POST" else "\r\n"
        writer.write(f"{self._method} /?id={number} HTTP/1.1\r\nHost: load.test\r\n{body}".encode())
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, *lines = head.split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            content = (await reader.readexactly(int(fields["content-length"]))).decode()
        except BaseException:
            writer.close()
            raise
        if fields.get("connection", "").lower() == "close":
            writer.close()
        else:
            self._streams = (reader, writer)
        if status.split()[1] != "200":
            raise ValueError(f"{status}: {content}")
        return fields["x-server"]

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()


class _Crowd:
    """The clients, and what they have got so far."""

    def __init__(self, clients: list[_Client], wanted: int) -> None:
        self.answers: list[Answer] = []
        self._clients = clients
        self._wanted = wanted
        self._numbers = count()
        self._over = asyncio.Event()
        self._more = asyncio.Condition()

    async def run(self, seconds: float) -> None:
        """Ask until it is over."""
        obeying = asyncio.create_task(self._obey())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._end(seconds))
            for client in self._clients:
                group.create_task(self._ask(client))
        obeying.cancel()

    async def _ask(self, client: _Client) -> None:
        while not self._over.is_set():
            self.answers.append(await client.ask(next(self._numbers)))
            if len(self.answers) >= self._wanted:
                self._over.set()
            async with self._more:
                self._more.notify_all()
        client.close()

    async def _end(self, seconds: float) -> None:
        await asyncio.wait([asyncio.create_task(self._over.wait())], timeout=seconds)
        self._over.set()

    async def _obey(self) -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            enough = len(self.answers) + int(line)
            async with self._more:
                await self._more.wait_for(lambda enough=enough: len(self.answers) >= enough)  # type: ignore[misc]  # bound here
            print(int(line), flush=True)  # noqa: T201 - it is how the two processes talk
        self._over.set()


async def _run(address: str, method: str, clients: int, wanted: int, seconds: float) -> list[Answer]:
    crowd = _Crowd([_Client(address, method) for _ in range(clients)], wanted)
    await crowd.run(seconds)
    return crowd.answers


if __name__ == "__main__":
    given = sys.argv[1:]
    done = asyncio.run(_run(given[0], given[1], int(given[2]), int(given[3]), float(given[4])))
    json.dump([astuple(answer) for answer in done], sys.stdout)
    sys.stdout.flush()
