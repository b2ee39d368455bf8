"""An httpx transport that balances: one client, many servers, and no proxy between them.

    python examples/httpx_transport.py

Where a connection cannot be opened, nothing was sent, and another server is tried. What failed later may have run, so its error goes to
the caller. A server counts as answered when its response head is there, and its place is given back when the response is closed: streams
may take as long as they like and make no server look slow.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from forebay import Balancer

FIRST_SERVER_ERROR = 500


class BalancedTransport(httpx.BaseTransport):
    """Sends each request to an endpoint of the balancer; scheme, path, query and the `Host` field stay the caller's.

    `key` tells what a `consistent_hash` policy goes by.
    """

    def __init__(self, balancer: Balancer, key: Callable[[httpx.Request], str | None] = lambda _: None) -> None:
        self._balancer = balancer
        self._key = key
        # How many requests a server takes at once is said by the pool's max_inflight.
        self._transport = httpx.HTTPTransport(limits=httpx.Limits(max_connections=None, max_keepalive_connections=100))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it; raises NoEndpoint where there is none to pick, and httpx's own errors."""
        for attempt in self._balancer.attempts(key=self._key(request)):
            with ExitStack() as held:
                endpoint = held.enter_context(attempt)
                url = request.url.copy_with(host=endpoint.host, port=endpoint.port)
                sent = httpx.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions)
                try:
                    response = self._transport.handle_request(sent)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    raise  # to the next attempt
                except httpx.TransportError:
                    endpoint.failed()  # and not to be repeated: it comes out of the loop
                    raise
                endpoint.answered(ok=response.status_code < FIRST_SERVER_ERROR)
                response.stream = _Held(response, endpoint.failed, held.pop_all())
        return response

    def close(self) -> None:
        """Close the kept connections."""
        self._transport.close()


class _Held(httpx.SyncByteStream):
    """A response's content, and the place that is held until it is closed."""

    def __init__(self, response: httpx.Response, failed: Callable[[], None], held: ExitStack) -> None:
        assert isinstance(response.stream, httpx.SyncByteStream)  # noqa: S101 - from a synchronous transport
        self._stream = response.stream
        self._failed = failed
        self._held = held

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._stream
        except httpx.TransportError:
            self._failed()
            raise

    def close(self) -> None:
        with self._held:
            self._stream.close()


def serve(name: str) -> ThreadingHTTPServer:
    """A server in this process that answers with its name, in two parts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer."""
            self.send_response(200)
            self.send_header("Content-Length", str(len(name)))
            self.end_headers()
            self.wfile.write(name[:1].encode())
            self.wfile.write(name[1:].encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


def stop(server: ThreadingHTTPServer) -> None:
    """End it; connections are refused from here on."""
    server.shutdown()
    server.server_close()


def main() -> None:
    """Ask two servers and a third that is down, and hold a stream meanwhile."""
    servers = [serve("one"), serve("two"), serve("down")]
    addresses = [f"127.0.0.1:{server.server_address[1]}" for server in servers]
    stop(servers.pop())
    balancer = Balancer(addresses, balance="least_connections")
    with httpx.Client(transport=BalancedTransport(balancer), base_url="http://app") as client:
        with client.stream("GET", "/events") as stream:
            print("while one answer is read,", sum(now["inflight"] for now in balancer.statistics().values()), "is in flight")
            print("it came from", stream.read().decode())
        print("then", *sorted({client.get("/").text for _ in range(20)}), "answered")
    for address, now in zip(("one", "two", "down"), balancer.statistics().values(), strict=True):
        print(f"{address}: {now['picks']} picks, {now['failures']} failures, {now['inflight']} in flight")
    for server in servers:
        stop(server)


if __name__ == "__main__":
    main()
