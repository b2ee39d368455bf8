"""One server serves, the other stands by: the primary is killed, the backup takes over, the primary returns and takes back.

    python examples/primary_backup.py

The same as a file is primary_backup.toml, beside this one.
"""

import socket
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from forebay import Failover, Gateway, Health, Pool, Running

PATIENCE = 20.0


class Server:
    """A process that serves on a port of its own, and can be killed and started again."""

    def __init__(self, name: str) -> None:
        self.name = name
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Run it, and wait until it listens."""
        command = [sys.executable, __file__, "serve", self.name, str(self.port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None  # noqa: S101 - as asked for above
        self._process.stdout.readline()

    def kill(self) -> None:
        """End it without a chance to say so."""
        with self._process as process:
            process.kill()


def serve(name: str, port: str) -> None:
    """Be a server that answers with its name, until standard input ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer with the server's name."""
            body = f"{name}\n".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name in the standard library
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("listening", flush=True)
    sys.stdin.read()


def ask(running: Running) -> str:
    """Who answers a request."""
    with urllib.request.urlopen(f"http://{running.address}/", timeout=PATIENCE) as answer:
        return str(answer.read().decode().strip())


def ask_until(running: Running, name: str) -> int:
    """Ask until that server answers; how many requests it took."""
    for asked in range(1, 2000):
        if ask(running) == name:
            return asked
        threading.Event().wait(0.01)
    raise SystemExit(f"{name} does not answer")


def main() -> None:
    """Show it."""
    primary, backup = Server("primary"), Server("backup")
    pool = Pool(
        [{"id": server.name, "address": server.address, "tier": tier} for tier, server in enumerate((primary, backup))],
        health=Health(path="/", interval="200ms"),
        failover=Failover(hold_down="1s"),
    )
    gateway = Gateway(listen="127.0.0.1:0", access_log="off", pools={"app": pool})
    with gateway.start() as running:
        print("at first:", ask(running))
        primary.kill()
        print("the primary is killed:", ask(running))
        primary.start()
        print("the primary is back:", ask(running))
        ask_until(running, "primary")
        print("it has been well for a second:", ask(running))
    primary.kill()
    backup.kill()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(*sys.argv[2:])
    else:
        main()
