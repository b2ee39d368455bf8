"""The examples that balance without a gateway, against real servers."""

import importlib.util
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from forebay import Balancer

from .documents import ROOT, environment
from .programs import PATIENCE, Port, until

pytestmark = pytest.mark.e2e

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def run(example: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / example)],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def numbers(line: str) -> list[int]:
    return [int(each) for each in re.findall(r"\d+", line)]


def test_threads_lose_nothing_when_one_of_three_servers_dies(folder: Path) -> None:
    alive, dying, after, *servers = run("round_robin_threads.py", folder)
    assert alive == "all live: 300 of 300 answered: a 100, b 100, c 100"
    assert dying.startswith("b dies: 300 of 300 answered: ")
    _, _, *shares = numbers(after)
    assert after.startswith("without b: 300 of 300 answered: ")
    assert shares[1] == 0
    assert [numbers(line)[1:] for line in (servers[0], servers[2])] == [[0, 0], [0, 0]], "no failure, and nothing in flight"
    assert numbers(servers[1])[1] > 0


def test_an_httpx_client_gets_round_a_server_that_is_down(folder: Path) -> None:
    held, came, then, one, two, down = run("httpx_transport.py", folder)
    assert held == "while one answer is read, 1 is in flight"
    assert came in {"it came from one", "it came from two"}
    assert then == "then one two answered"
    assert [numbers(line)[1:] for line in (one, two)] == [[0, 0], [0, 0]]
    assert numbers(down)[1] > 0


# --- the transport of the example, by the byte


@pytest.fixture(scope="module")
def example() -> Any:
    spec = importlib.util.spec_from_file_location("httpx_transport", ROOT / "examples/httpx_transport.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_whole(request: bytes) -> bool:
    """Whether the content is here to its end, too."""
    head, end, content = request.partition(b"\r\n\r\n")
    if b"chunked" in head:
        return content.endswith(b"0\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return bool(end) and len(content) >= int(length or b"0")


class Scripted:
    """A server that reads one whole request, answers as it is told, and closes: with nothing unread, so that it is no reset."""

    def __init__(self, answer: bytes) -> None:
        self.received: list[bytes] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(PATIENCE)
                whole = b""
                while not is_whole(whole):
                    part = connection.recv(65536)
                    if not part:
                        break
                    whole += part
                if not whole:
                    return
                self.received.append(whole)
                connection.sendall(self._answer)

    def close(self) -> None:
        """An empty connection ends it."""
        with self._listener:
            socket.create_connection(self._listener.getsockname()).close()
            self._thread.join(PATIENCE)


@contextmanager
def scripted(answer: bytes) -> Iterator[Scripted]:
    server = Scripted(answer)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def down() -> Iterator[str]:
    """An address that refuses connections for as long as the test runs."""
    port = Port()
    yield port.address
    port.close()


def now(balancer: Balancer, address: str) -> tuple[float, float, float]:
    """Picks, failures and what is in flight."""
    endpoint = balancer.statistics()[address]
    return endpoint["picks"], endpoint["failures"], endpoint["inflight"]


def test_a_refused_connection_leads_to_another_server_with_the_whole_body(example: Any, down: str) -> None:
    with scripted(OK) as server:
        balancer = Balancer([down, server.address], balance="first_available")
        with httpx.Client(transport=example.BalancedTransport(balancer), base_url="http://app.test/base/") as client:
            answer = client.post("x?y=1", content=iter([b"one", b"two"]))
    assert (answer.status_code, answer.text, str(answer.url)) == (200, "ok", "http://app.test/base/x?y=1")
    (request,) = server.received
    assert request.startswith(b"POST /base/x?y=1 HTTP/1.1\r\nHost: app.test\r\n")
    assert request.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    assert (now(balancer, down), now(balancer, server.address)) == ((1, 1, 0), (1, 0, 0))


def test_what_may_have_run_is_not_repeated(example: Any) -> None:
    with scripted(b"") as broken, scripted(OK) as other:
        balancer = Balancer([broken.address, other.address], balance="first_available")
        with httpx.Client(transport=example.BalancedTransport(balancer)) as client, pytest.raises(httpx.RemoteProtocolError):
            client.post("http://app.test/", content=b"once")
    assert (len(broken.received), len(other.received)) == (1, 0)
    assert now(balancer, broken.address) == (1, 1, 0)


def test_where_all_are_down_the_last_error_tells(example: Any, down: str) -> None:
    balancer = Balancer([down])
    with httpx.Client(transport=example.BalancedTransport(balancer)) as client, pytest.raises(httpx.ConnectError):
        client.get("http://app.test/")
    assert now(balancer, down) == (1, 1, 0)


def test_a_stream_holds_its_place_until_it_is_closed(example: Any) -> None:
    with scripted(OK) as server:
        balancer = Balancer([server.address])
        with httpx.Client(transport=example.BalancedTransport(balancer)) as client:
            with client.stream("GET", "http://app.test/") as answer:
                assert now(balancer, server.address) == (1, 0, 1)
                assert answer.read() == b"ok"
            assert now(balancer, server.address) == (1, 0, 0)


def test_a_stream_that_breaks_is_the_servers_failure(example: Any) -> None:
    with scripted(OK.replace(b"2\r", b"3\r")) as server:
        balancer = Balancer([server.address])
        with httpx.Client(transport=example.BalancedTransport(balancer)) as client, pytest.raises(httpx.RemoteProtocolError):
            client.get("http://app.test/")
    assert now(balancer, server.address) == (1, 1, 0)


def test_a_server_error_is_the_answer_and_is_learned_as_an_error(example: Any) -> None:
    with scripted(OK.replace(b"200 OK", b"503 No")) as server:
        balancer = Balancer([server.address])
        with httpx.Client(transport=example.BalancedTransport(balancer)) as client:

            def learned() -> bool:
                assert client.get("http://app.test/").status_code == 503
                return balancer.statistics()[server.address]["error_rate"] > 0

            until(learned, "no errors are learned")
    assert now(balancer, server.address)[1:] == (0, 0)


def test_a_key_of_the_request_decides_where_the_policy_goes_by_keys(example: Any) -> None:
    with scripted(OK) as one, scripted(OK) as other:
        balancer = Balancer([one.address, other.address], balance="consistent_hash()")
        transport = example.BalancedTransport(balancer, key=lambda request: request.headers.get("x-user"))
        with httpx.Client(transport=transport) as client:
            for _ in range(10):
                client.get("http://app.test/", headers={"x-user": "17"})
    assert sorted((len(one.received), len(other.received))) == [0, 10]
