"""Requests from many threads, shared over three servers in turns; one server dies on the way and nothing is lost.

    python examples/round_robin_threads.py

The balancer is the engine's own, without a gateway: the program opens its connections itself and learns from what they come to.
"""

import threading
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from forebay import Balancer, Pool

REQUESTS = 300
THREADS = 8


class Server:
    """A server in this process, on a port that the system gives. It answers with its name."""

    def __init__(self, name: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Answer."""
                self.send_response(200)
                self.send_header("Content-Length", str(len(name)))
                self.end_headers()
                self.wfile.write(name.encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.name = name
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def die(self) -> None:
        """Listen no more: who was waiting is cut, and who comes is refused."""
        self._server.shutdown()
        self._server.server_close()


def fetch(balancer: Balancer) -> str:
    """Ask the server whose turn it is, and the next ones if it fails. A GET may run twice."""
    for attempt in balancer.attempts():
        with attempt as endpoint, urllib.request.urlopen(f"http://{endpoint.address}/", timeout=5) as answer:
            name = answer.read().decode()
    return name


def share(balancer: Balancer, threads: ThreadPoolExecutor, dies: Server | None = None) -> Counter[str]:
    """Send the requests and count who answered; a server may die after a third of them."""
    answers = [threads.submit(fetch, balancer) for _ in range(REQUESTS)]
    counted: Counter[str] = Counter()
    for answer in as_completed(answers):
        counted[answer.result()] += 1
        if dies is not None and counted.total() == REQUESTS // 3:
            dies.die()
    return counted


def main() -> None:
    """Share requests while all live, while one dies, and after that."""
    servers = {name: Server(name) for name in "abc"}
    balancer = Balancer(Pool([{"id": name, "address": server.address} for name, server in servers.items()], balance="round_robin"))
    with ThreadPoolExecutor(THREADS) as threads:
        for moment, dies in ("all live", None), ("b dies", servers["b"]), ("without b", None):
            counted = share(balancer, threads, dies)
            shown = ", ".join(f"{name} {counted[name]}" for name in servers)
            print(f"{moment}: {counted.total()} of {REQUESTS} answered: {shown}")
    for name, now in balancer.statistics().items():
        print(f"{name}: {now['picks']} picks, {now['failures']} failures, {now['inflight']} in flight")
    for name in "ac":
        servers[name].die()


if __name__ == "__main__":
    main()
