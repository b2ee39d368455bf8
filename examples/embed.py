"""A program that places its own workers and has a gateway inside it feed them.

    python examples/embed.py

It starts two workers, serves through them, and replaces each by a new one while requests go on. The gateway runs beside the program, on
threads of its own; the program tells it which workers there are, and no file is written and nothing reloaded.
"""

import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from forebay import Gateway, Pool, Running


class Worker:
    """A process that serves. Yours may hold a model, or whatever else takes long to load."""

    def __init__(self, name: str) -> None:
        command = [sys.executable, __file__, "worker", name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None  # noqa: S101 - as asked for above
        # It prints its port once it can serve: only then is it an endpoint.
        self.address = f"127.0.0.1:{self._process.stdout.readline().strip()}"

    def stop(self) -> None:
        """End it: it goes on until its input ends, and finishes what it has in hand."""
        self._process.communicate()


def work(name: str) -> None:
    """Be a worker, until standard input ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer with the worker's name."""
            self.send_response(200)
            self.send_header("Content-Length", str(len(name)))
            self.end_headers()
            self.wfile.write(name.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing; the gateway keeps the log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False  # what it has in hand is finished before it ends
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        sys.stdin.read()
        server.shutdown()


def ask(running: Running, times: int) -> list[str]:
    """Which workers answered; raises OSError when a request fails."""
    answers = []
    for _ in range(times):
        with urllib.request.urlopen(running.url, timeout=5) as response:  # noqa: S310 - http, to ourselves
            answers.append(response.read().decode())
    return answers


def replace(running: Running, workers: list[Worker], name: str) -> None:
    """Put a new worker in the place of the oldest: it can serve before the old one goes."""
    old = workers.pop(0)
    workers.append(Worker(name))
    # From here on nothing new goes to the old one; what it has in hand, it finishes.
    running.pools["workers"].set_endpoints([worker.address for worker in workers])
    old.stop()


def main() -> None:
    """Serve while each worker is replaced."""
    workers = [Worker("a"), Worker("b")]
    gateway = Gateway(listen="127.0.0.1:0", access_log="off", pools={"workers": Pool([worker.address for worker in workers])})
    with gateway.start() as running:
        print("serving on", running.url)
        for name in ("c", "d"):
            print("served by", *ask(running, 4))
            replace(running, workers, name)
        print("served by", *ask(running, 4))
    answered = running.statistics().responses  # whole, now that everything has ended
    print(f"{answered['2xx']} requests served, {answered['5xx']} failed")
    for worker in workers:
        worker.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        work(sys.argv[2])
    else:
        main()
