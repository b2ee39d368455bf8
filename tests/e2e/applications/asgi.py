"""What the Python servers of these tests serve, under Uvicorn and Granian alike. `server.mjs` serves the same under Node."""

import asyncio
import gzip
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator

from granian.utils.proxies import wrap_asgi_with_proxy_headers
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

BLOCK = 64 * 1024
_turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(0))


def block(number: int) -> bytes:
    """Block `number` of the bytes that `/bytes` sends: no two are the same, so that one lost or doubled shows in the hash."""
    return hashlib.sha256(str(number).encode()).digest() * (BLOCK // 32)


async def seen(request: Request) -> Response:
    """Tell what of the request arrived."""
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers.raw]
    client = request.client
    return JSONResponse(
        {
            "method": request.method,
            "target": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            "scheme": request.url.scheme,
            "client": client.host if client else None,
            "port": client.port if client else None,
            "headers": headers,
        },
        headers={"X-Large": "l" * int(request.query_params.get("large", "0"))},
    )


async def digest(request: Request) -> Response:
    """Take a body in as it comes, and tell its length and hash."""
    count, digested = 0, hashlib.sha256()
    async for part in request.stream():
        count += len(part)
        digested.update(part)
    return JSONResponse({"bytes": count, "sha256": digested.hexdigest()})


class Echo:
    """Send each part of the body back as it comes. Plain ASGI: Starlette's streaming responses take the body's rest for themselves."""

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": more})


async def stream(request: Request) -> Response:
    """So many blocks; with `length`, announced in Content-Length, else chunked."""
    blocks = int(request.query_params["blocks"])
    headers = {"Content-Length": str(blocks * BLOCK)} if "length" in request.query_params else {}

    async def parts() -> AsyncIterator[bytes]:
        for number in range(blocks):
            yield block(number)

    return StreamingResponse(parts(), headers=headers)


async def events(request: Request) -> Response:
    """Server-sent events, each when `/next` with the same name was asked for; three of them."""
    turn = _turns[request.query_params["name"]]

    async def parts() -> AsyncIterator[str]:
        for number in range(3):
            await turn.acquire()
            yield f"data: {number}\n\n"

    return StreamingResponse(parts(), media_type="text/event-stream")


async def following(request: Request) -> Response:
    """Let one more event of `/events` go."""
    _turns[request.query_params["name"]].release()
    return PlainTextResponse("ok")


async def zipped(_: Request) -> Response:
    """A body that is compressed already."""
    return Response(gzip.compress(b"to be left as it is\n" * 100, mtime=0), headers={"Content-Encoding": "gzip"})


async def socket(websocket: WebSocket) -> None:
    """Echo; `close` has the server close with 4001 and a reason."""
    await websocket.accept(subprotocol=next(iter(websocket.scope["subprotocols"]), None))
    while (message := await websocket.receive())["type"] == "websocket.receive":
        text = message.get("text")
        if text == "close":
            await websocket.close(4001, "as you wish")
            return
        if text is not None:
            await websocket.send_text(text)
        else:
            await websocket.send_bytes(message["bytes"])


app = Starlette(
    routes=[
        Route("/seen", seen, methods=["GET", "POST", "DELETE", "OPTIONS"]),
        Route("/digest", digest, methods=["POST", "PUT"]),
        Route("/echo", Echo(), methods=["POST"]),
        Route("/bytes", stream),
        Route("/events", events),
        Route("/next", following, methods=["POST"]),
        Route("/gzip", zipped),
        WebSocketRoute("/socket", socket),
    ]
)

# As Granian's own documentation has it for a server behind a proxy; Uvicorn does it by itself.
trusting = wrap_asgi_with_proxy_headers(app, trusted_hosts="127.0.0.1")
