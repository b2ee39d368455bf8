"""The commands, the file and the program of the README do what it says."""

import http.server
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from .documents import ROOT, blocks, environment, free_ports, until_listening

pytestmark = pytest.mark.e2e

PORTS = (8001, 8002, 8003, 8080)
HOST = "api.example.com"


class Server(http.server.BaseHTTPRequestHandler):
    """Answers every GET with its own port."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        _, port = self.connection.getsockname()
        body = str(port).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def serving(*ports: int) -> Iterator[None]:
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", port), Server) for port in ports]
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


@contextmanager
def running(command: str, folder: Path, port: int) -> Iterator[None]:
    """Run a gateway in the foreground of its own process while the body runs; SIGTERM must end it with 0."""
    with subprocess.Popen(command.split(), cwd=folder, env=environment(folder), stdout=subprocess.DEVNULL) as process:
        try:
            until_listening(port)
            yield
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()


def finish(command: str, folder: Path, *, cwd: Path | None = None, **more: str) -> str:
    done = subprocess.run(
        command.split(), cwd=cwd or folder, env={**environment(folder), **more}, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def answers(port: int, path: str = "/") -> set[int]:
    with httpx.Client() as client:
        got = [client.get(f"http://127.0.0.1:{port}{path}", headers={"Host": HOST}) for _ in range(40)]
    assert {response.status_code for response in got} == {HTTPStatus.OK}
    return {int(response.text) for response in got}


@pytest.fixture
def ports() -> dict[int, int]:
    return free_ports(*PORTS)


@pytest.fixture
def folder(tmp_path: Path, ports: dict[int, int]) -> Path:
    for block in blocks("README.md", ports):
        if block.title:
            (tmp_path / block.title).write_text(block.text)
    return tmp_path


def demo(command: str, folder: Path, _: dict[int, int]) -> None:
    built = (ROOT / ".venv/profile").read_text().strip()  # another one would be built first, for minutes
    assert re.search(r"\b0 lost", finish(command, folder, cwd=ROOT, ARGS="--plain --seconds 6", PROFILE=built))


def only_named(command: str, folder: Path, _: dict[int, int]) -> None:
    # What these two run includes this test.
    assert finish(f"{command} --dry-run", folder, cwd=ROOT)


def activate(command: str, folder: Path, _: dict[int, int]) -> None:
    done = subprocess.run(["bash", "-c", f"{command} && command -v forebay"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).is_file()
    assert folder.is_dir()


def run_without_a_file(command: str, folder: Path, ports: dict[int, int]) -> None:
    with serving(ports[8001], ports[8002]), running(command, folder, ports[8080]):
        assert answers(ports[8080]) == {ports[8001], ports[8002]}


def run_the_file(command: str, folder: Path, ports: dict[int, int]) -> None:
    with serving(ports[8001], ports[8002]), running(command, folder, ports[8080]):
        # One by one they find both idle, and then the default policy prefers the one of twice the weight.
        assert answers(ports[8080], "/v1/x") <= {ports[8001], ports[8002]}
        assert httpx.get(f"http://127.0.0.1:{ports[8080]}/").status_code == HTTPStatus.NOT_FOUND


def status(command: str, folder: Path, ports: dict[int, int]) -> None:
    with serving(ports[8001], ports[8002]), running("forebay run gateway.toml", folder, ports[8080]):
        answers(ports[8080], "/v1/x")
        told = finish(command, folder)
    assert "app" in told
    assert f"127.0.0.1:{ports[8001]}" in told


def check(command: str, folder: Path, _: dict[int, int]) -> None:
    told = finish(command, folder)
    assert "keepalive_timeout" in told


def simulate(command: str, folder: Path, _: dict[int, int]) -> None:
    assert "shortest_expected_delay" in finish(command, folder)  # what it prints is compared in test_outputs.py


COMMANDS: dict[str, Callable[[str, Path, dict[int, int]], None]] = {
    "make demo": demo,
    ". .venv/bin/activate": activate,
    "forebay run --to 127.0.0.1:8001 --to 127.0.0.1:8002 --listen 127.0.0.1:8080": run_without_a_file,
    "forebay check gateway.toml --effective": check,
    "forebay run gateway.toml": run_the_file,
    "forebay status": status,
    "forebay simulate --preset unequal --policies shortest_expected_delay,least_connections,round_robin": simulate,
    "make test": only_named,
    "make check": only_named,
}


@pytest.mark.parametrize("command", [line for block in blocks("README.md") if block.language == "sh" for line in block.text.splitlines()])
def test_each_command_of_the_readme_does_what_it_says(command: str, folder: Path, ports: dict[int, int]) -> None:
    act = COMMANDS[command]
    for named, free in ports.items():
        command = re.sub(rf"\b{named}\b", str(free), command)
    act(command, folder, ports)


def test_the_file_of_the_readme_has_ten_lines() -> None:
    assert [len(block.text.splitlines()) for block in blocks("README.md") if block.title == "gateway.toml"] == [10]


def test_the_program_of_the_readme_serves(folder: Path, ports: dict[int, int]) -> None:
    (program,) = (block.text for block in blocks("README.md", ports) if block.language == "python")
    asked = """
    import urllib.request
    print(urllib.request.urlopen(str(running.address) if str(running.address).startswith("http") else f"http://{running.address}").read())
"""
    with serving(ports[8002], ports[8003]):
        done = subprocess.run(
            [sys.executable, "-c", program + asked],
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "serving on" in done.stdout
    assert re.search(rf"b'({ports[8002]}|{ports[8003]})'", done.stdout)
