"""A small HTTP server for the demo, run as a script in a process of its own: `server.py NAME PORT`.

Needs nothing but the standard library. Prints its port once it listens; ends when its standard input does, so that it never
outlives the demo, however that ends.
"""

import asyncio
import random
import sys

_SHORTEST, _LONGEST = 0.012, 0.028  # seconds of pretended work


async def _serve(name: str, port: int) -> None:
    work = random.Random(name)  # noqa: S311 - jitter, not secrets
    body = f"hello from {name}\n".encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Server: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        name.encode(),
        len(body),
        body,
    )

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(work.uniform(_SHORTEST, _LONGEST))
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", port)
    print(listener.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the demo reads it
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
