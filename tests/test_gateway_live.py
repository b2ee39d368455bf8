"""A gateway on the real engine, changed while requests run through it."""

import asyncio
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from forebay import ConfigError, Endpoint, Gateway, ListenError, Pool, Running

PATIENCE = 10


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Short: the path of a socket may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="fb") as path:
        monkeypatch.setenv("XDG_STATE_HOME", path)
        monkeypatch.delenv("STATE_DIRECTORY", raising=False)
        yield Path(path)


class Http(ThreadingHTTPServer):
    """Waits for its connections when it closes."""

    daemon_threads = False


class Server:
    """A server that answers with its name; to `/held`, once it is let go."""

    def __init__(self, name: str) -> None:
        self.held, self.let_go = threading.Event(), threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path == "/held":
                    server.held.set()
                    server.let_go.wait(PATIENCE)
                self.send_response(200)
                self.send_header("Content-Length", str(len(name)))
                self.end_headers()
                self.wfile.write(name.encode())

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._http = Http(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.port = self._http.server_address[1]
        self.address = f"127.0.0.1:{self.port}"

    def close(self) -> None:
        self.let_go.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    a, b = Server("a"), Server("b")
    yield a, b
    a.close()
    b.close()


def gateway(*endpoints: object, **keys: Any) -> Gateway:
    return Gateway(
        **{"listen": "127.0.0.1:0", "access_log": "off", "shutdown_grace": "5s", "pools": {"app": Pool(list(endpoints))}, **keys}
    )


@contextmanager
def client(running: Running) -> Iterator[HTTPConnection]:
    connection = HTTPConnection(running.address, timeout=PATIENCE)
    yield connection
    connection.close()


def connects(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as late:
        return late.connect_ex((host, int(port))) == 0


def get(connection: HTTPConnection, path: str = "/") -> tuple[int, str]:
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read().decode()


def test_requests_go_to_the_endpoints_of_the_pool(servers: tuple[Server, Server]) -> None:
    with gateway(*(server.address for server in servers)).start() as running, client(running) as connection:
        assert sorted(get(connection) for _ in range(4)) == [(200, "a"), (200, "a"), (200, "b"), (200, "b")]
    counted = running.statistics()
    assert (counted.exchanges.total, counted.responses["2xx"], counted.pools["app"].requests) == (4, 4, 4)
    assert {endpoint.requests for endpoint in counted.pools["app"].endpoints.values()} == {2}
    assert counted.pools["app"].latency.count == 4


def test_endpoints_change_under_a_connection_that_stays_open(servers: tuple[Server, Server]) -> None:
    a, b = servers
    with gateway(a.address).start() as running, client(running) as connection:
        assert get(connection) == (200, "a")
        mine = connection.sock
        running.pools["app"].set_endpoints([Endpoint(b.address, id="second")])
        assert get(connection) == (200, "b")
        assert connection.sock is mine
        assert running.pools["app"].statistics().endpoints["second"].requests == 1


def test_a_request_on_an_endpoint_that_goes_ends_well(servers: tuple[Server, Server]) -> None:
    a, b = servers
    with gateway(a.address).start() as running, client(running) as connection:
        answers: list[tuple[int, str]] = []
        asking = threading.Thread(target=lambda: answers.append(get(connection, "/held")))
        asking.start()
        assert a.held.wait(PATIENCE)
        running.pools["app"].set_endpoints([b.address])
        a.let_go.set()
        asking.join(PATIENCE)
    assert answers == [(200, "a")]


def test_an_endpoint_that_stays_keeps_its_counters(servers: tuple[Server, Server]) -> None:
    a, b = servers
    with gateway(a.address).start() as running, client(running) as connection:
        get(connection)
        running.pools["app"].set_endpoints([a.address, b.address])
        assert running.pools["app"].statistics().endpoints[a.address].requests == 1


def test_a_change_that_is_refused_changes_nothing(servers: tuple[Server, Server]) -> None:
    a, _ = servers
    with gateway(a.address).start() as running, client(running) as connection, socket.create_server(("127.0.0.1", 0)) as busy:
        with pytest.raises(ListenError):
            running.apply(gateway("127.0.0.1:1", listen=f"127.0.0.1:{busy.getsockname()[1]}"))
        with pytest.raises(ConfigError):
            running.pools["app"].set_endpoints(["nonsense"])
        assert get(connection) == (200, "a")
        assert running.statistics().snapshot == 1


def test_listeners_come_and_go_with_a_change(servers: tuple[Server, Server]) -> None:
    a, _ = servers
    with gateway(a.address).start() as running:
        old = running.address
        running.apply(gateway(a.address, listen=None, listeners={"web": {"bind": ["127.0.0.1:0", "[::1]:0"]}}))
        assert [len(addresses) for addresses in running.addresses.values()] == [2]
        with client(running) as connection:
            assert get(connection) == (200, "a")
        while connects(old):  # closed once it has accepted what was waiting; the test's limit ends this
            pass


def test_a_name_without_an_address_is_503_and_serves_by_itself_once_it_has_one(
    servers: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _ = servers
    real, known = socket.getaddrinfo, threading.Event()

    def lookup(host: str, port: int, *rest: Any, **options: Any) -> Any:
        if host != "app.example":
            return real(host, port, *rest, **options)
        if not known.is_set():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr("forebay.control.discovery.dns.RESOLV_CONF", "/nowhere")  # then the system is asked at once
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with gateway(f"app.example:{a.port}").start() as running, client(running) as connection:
        status, problem = get(connection)
        assert (status, "pool_unresolved" in problem) == (503, True)
        known.set()
        # The look-up is repeated half a second after the first; each answer until then is the same 503.
        answers = iter(lambda: get(connection)[0], 200)
        assert set(answers) <= {503}
        assert get(connection) == (200, "a")


def test_a_stop_lets_a_running_request_end_and_counts_none_as_cut(servers: tuple[Server, Server]) -> None:
    a, _ = servers
    with gateway(a.address).start() as running, client(running) as connection:
        answers: list[tuple[int, str]] = []
        asking = threading.Thread(target=lambda: answers.append(get(connection, "/held")))
        asking.start()
        assert a.held.wait(PATIENCE)
        cut: list[int] = []
        stopping = threading.Thread(target=lambda: cut.append(running.stop()))
        stopping.start()
        a.let_go.set()
        stopping.join(PATIENCE)
        asking.join(PATIENCE)
    assert (answers, cut) == ([(200, "a")], [0])


def test_a_stop_without_grace_cuts_and_counts(servers: tuple[Server, Server]) -> None:
    a, _ = servers
    with gateway(a.address).start() as running, client(running) as connection:
        connection.request("GET", "/held")
        assert a.held.wait(PATIENCE)
        assert running.stop(grace=0) == 1
        assert running.statistics().exchanges.running == 0


def test_it_serves_beside_the_event_loop_of_the_application(servers: tuple[Server, Server]) -> None:
    a, _ = servers

    async def program() -> tuple[int, str]:
        async with gateway(a.address).start() as running:
            with client(running) as connection:
                return await asyncio.to_thread(get, connection)

    assert asyncio.run(program()) == (200, "a")


def test_what_only_the_engine_can_judge_is_found_without_listening(servers: tuple[Server, Server]) -> None:
    a, _ = servers
    with gateway(a.address).start() as running:
        assert gateway(a.address, listen=running.address).verify() == []
