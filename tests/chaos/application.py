"""What the servers of the rolling restart serve: 20 ms of work, under ASGI (`asgi`) and WSGI (`wsgi`).

A POST is noted in the file $EFFECTS by its id, as `began ID` before the work and `ended ID` after it.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_WORK = 0.02
_NAME = os.environ.get("NAME", "").encode()
_EFFECTS = Path(os.environ.get("EFFECTS", "/dev/null")).open("a", buffering=1)  # noqa: SIM115 - it is open as long as this process runs


def note(word: str, method: str, query: str) -> None:
    """One line for a POST."""
    if method == "POST":
        _EFFECTS.write(f"{word} {query.removeprefix('id=')}\n")


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the server's name."""
    assert scope["type"] == "http"
    query = scope["query_string"].decode()
    while (await receive()).get("more_body"):
        pass
    note("began", scope["method"], query)
    if scope["path"] != "/healthz":
        await asyncio.sleep(_WORK)
    note("ended", scope["method"], query)
    headers = [(b"content-length", str(len(_NAME)).encode()), (b"x-server", _NAME)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _NAME})


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The same, in a thread."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    note("began", environ["REQUEST_METHOD"], environ["QUERY_STRING"])
    if environ["PATH_INFO"] != "/healthz":
        time.sleep(_WORK)  # noqa: TID251 - this is the work, done in one of the server's threads
    note("ended", environ["REQUEST_METHOD"], environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Length", str(len(_NAME))), ("x-server", _NAME.decode())])
    return [_NAME]
