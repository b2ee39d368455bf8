"""A server that works for about 20 ms on each request and says which one it is, under Uvicorn.

A POST has an effect, which is written to the file $EFFECTS before the work and again after it, by the id in the query; what is
written stays when the server is killed. `/held?id=N` makes a file `held-N` in the working directory, and is answered when there is a
`free-N` beside it. `/health` is answered at once: with 503 while there is a file `unwell-NAME`.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

_NAME = os.environ["NAME"].encode()
_EFFECTS = os.environ.get("EFFECTS", "")
_WORK = 0.02


def note(what: str, number: str) -> None:
    """One whole line at a time; a single write in append mode."""
    with Path(_EFFECTS).open("a") as effects:
        effects.write(f"{what} {number}\n")


async def held(number: str) -> None:
    """Say that a request is here, and return once it may be answered."""
    note_file, free = Path(f"held-{number}"), Path(f"free-{number}")
    await asyncio.to_thread(note_file.touch)
    while not await asyncio.to_thread(free.exists):  # noqa: ASYNC110 - what it waits for happens in another process
        await asyncio.sleep(0.005)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the server's name."""
    number = scope["query_string"].decode().removeprefix("id=")
    while (await receive()).get("more_body"):
        pass
    if scope["method"] == "POST":
        note("began", number)
    if scope["path"] == "/held":
        await held(number)
    unwell = scope["path"] == "/health" and await asyncio.to_thread(Path(f"unwell-{_NAME.decode()}").exists)
    await asyncio.sleep(0 if scope["path"] == "/health" else _WORK)
    if scope["method"] == "POST":
        note("ended", number)
    headers = [(b"content-length", str(len(_NAME)).encode()), (b"x-server", _NAME)]
    await send({"type": "http.response.start", "status": 503 if unwell else 200, "headers": headers})
    await send({"type": "http.response.body", "body": _NAME})
