"""A server that can be made to fail: `server.py PORT NAME EFFECTS [WORK [IDLE]]`, alone and on the standard library.

Each request takes WORK seconds (0.02), or what its query says: `wait=N`. The answer names the server in `x-server`. For a POST it appends
`began ID` to the file EFFECTS when it has the whole request and `ended ID` before it answers; for any request whose connection ends while
it works, `gone ID TIME` (CLOCK_MONOTONIC). What is written stays when it is killed. IDLE seconds after an answer it closes the connection.

Its moods change while it runs, by a line of standard input each: `ok`; `errors SHARE` (that share of answers is 500); `slow FACTOR`;
`fail` (all are 503); `probe STATUS` (what `/healthz` is answered). It prints the line once it holds; to `count` it prints the number of
requests that it has had, probes apart.
"""

import asyncio
import random
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class Mood:
    """How it answers now, and where it notes what it does."""

    def __init__(self, name: str, effects: str, work: float, idle: float) -> None:
        self.name, self.work, self.idle = name, work, idle
        self.errors, self.slower, self.status, self.probe, self.asked = 0.0, 1.0, 500, 200, 0
        self._effects = Path(effects).open("a", buffering=1)  # noqa: SIM115 - it is open as long as this process runs
        self._draw = random.Random(name)

    def obey(self, line: str) -> None:
        """Change by one line."""
        word, _, value = line.partition(" ")
        if word == "probe":
            self.probe = int(value)
        else:
            self.errors = {"errors": float(value or 0), "fail": 1.0}.get(word, 0.0)
            self.slower = float(value) if word == "slow" else 1.0
        self.status = 503 if word == "fail" else 500

    def note(self, *words: object) -> None:
        """One line, written before anything that follows."""
        self._effects.write(" ".join(map(str, words)) + "\n")

    def answer(self) -> int:
        """The status of the next answer."""
        return self.status if self.errors and self._draw.random() < self.errors else 200


class Connection(asyncio.Protocol):
    """One client connection: a request, its work, its answer, and the next."""

    def __init__(self, mood: Mood) -> None:
        self._mood = mood
        self._data = b""
        self._timer: asyncio.TimerHandle | None = None
        self._number = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._number:
            self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        if self._number:
            self._mood.note("gone", self._number, time.monotonic())
        if self._timer:
            self._timer.cancel()

    def _next(self) -> None:
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        line, *fields = head.decode("latin-1").split("\r\n")
        length = next((int(each.split(":")[1]) for each in fields if each.lower().startswith("content-length:")), 0)
        if len(rest) < length:
            return
        self._data = rest[length:]
        method, target, _ = line.split(" ")
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/healthz":
            self._answer(self._mood.probe)
            return
        self._number = query.get("id", "-")
        self._mood.asked += 1
        if method == "POST":
            self._mood.note("began", self._number)
        work = float(query.get("wait", self._mood.work)) * self._mood.slower
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(work, self._over, method)

    def _over(self, method: str) -> None:
        if method == "POST":
            self._mood.note("ended", self._number)
        self._number = ""
        self._answer(self._mood.answer())
        if self._mood.idle:
            self._timer = asyncio.get_running_loop().call_later(self._mood.idle, self._transport.close)
        if self._data:
            self._next()

    def _answer(self, status: int) -> None:
        body = self._mood.name.encode()
        head = f"HTTP/1.1 {status} Said\r\nx-server: {self._mood.name}\r\ncontent-length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


async def main(port: int, mood: Mood) -> None:
    """Serve, and obey standard input until it ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(mood), "127.0.0.1", port, reuse_address=True, backlog=1024)
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print("listening", flush=True)  # noqa: T201 - it is how the two processes talk
    async with server:
        while line := (await lines.readline()).decode().strip():
            if line != "count":
                mood.obey(line)
            print(mood.asked if line == "count" else line, flush=True)  # noqa: T201 - likewise


if __name__ == "__main__":
    number, name, effects, *rest = sys.argv[1:]
    work, idle = (*map(float, rest), *(0.02, 0.0)[len(rest) :])
    asyncio.run(main(int(number), Mood(name, effects, work, idle)))
