"""What is declared changes while requests, a long download and WebSockets are under way: no error, and no connection is closed."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from forebay import Endpoint, Gateway, Pool, Route, Running

from .applications.asgi import BLOCK
from .load import Load, lost
from .programs import PATIENCE, Server, until, uvicorn

pytestmark = pytest.mark.e2e

CHANGES = 40
BLOCKS = 1600


@pytest.fixture
def workers(folder: Path) -> Iterator[list[Server]]:
    """Start two servers that take 20 ms."""
    with ExitStack() as started:
        yield [started.enter_context(uvicorn("work:app", folder, name, NAME=name)) for name in ("a", "b")]


def declared(workers: list[Server], long: Server, **more: object) -> Gateway:
    """Short requests go to the workers, `/socket` and `/bytes` to another server."""
    return Gateway(
        **{
            "listeners": {"web": {"bind": "127.0.0.1:0"}},
            "access_log": "off",
            "shutdown_grace": "5s",
            "routes": [Route(match={"path": ["/socket", "/bytes"]}, pool="long"), Route(pool="app")],
            "pools": {"app": Pool([server.address for server in workers]), "long": Pool([long.address])},
            **more,
        }
    )


class Download:
    """A download that goes on slowly, block after block, for as long as the changes do."""

    def __init__(self, url: str) -> None:
        self.over = threading.Event()
        self.received = 0
        self._thread = threading.Thread(target=self._run, args=(url,))
        self._thread.start()

    def _run(self, url: str) -> None:
        pause = threading.Event()
        with httpx.stream("GET", f"{url}/bytes?blocks={BLOCKS}", timeout=PATIENCE) as response:
            for part in response.iter_raw(BLOCK):
                self.received += len(part)
                if not self.over.is_set():
                    pause.wait(0.005)

    def finish(self) -> int:
        self.over.set()
        self._thread.join(PATIENCE)
        return self.received


def still_open(sockets: list[ClientConnection]) -> bool:
    for number, each in enumerate(sockets):
        each.send(f"still {number}")
        if each.recv(PATIENCE) != f"still {number}":
            return False
    return True


def change(running: Running, workers: list[Server], long: Server, number: int) -> None:
    """Change one thing after the other, and back."""
    a, b = (server.address for server in workers)
    match number % 4:
        case 0:
            running.pools["app"].set_endpoints([a])
        case 1:
            running.pools["app"].set_endpoints([Endpoint(a, weight=2), b])
        case 2:
            routes = [Route(match={"path": "/fixed"}, respond={"body": str(number)}), *declared(workers, long).routes]
            listeners = {"web": {"bind": "127.0.0.1:0"}, f"more-{number}": {"bind": "127.0.0.1:0"}}
            running.apply(declared(workers, long, routes=routes, listeners=listeners))
        case _:
            running.apply(declared(workers, long, limits={"keepalive_timeout": f"{30 + number}s"}))


def test_under_load_no_change_costs_an_error_or_a_connection(workers: list[Server], servers: dict[str, Server], home: Path) -> None:
    long = servers["uvicorn"]
    with ExitStack() as opened:
        running = opened.enter_context(declared(workers, long).start())
        url = f"ws://{running.address}/socket"
        sockets = [opened.enter_context(connect(url)) for _ in range(5)]
        download = Download(running.url)
        load = opened.enter_context(Load(running.address))
        load.until_answered(100)
        accepted = running.statistics().connections.accepted
        for number in range(CHANGES):
            change(running, workers, long, number)
            load.until_answered(20)
        assert still_open(sockets)
        assert not download.over.is_set()
        assert running.statistics().connections.accepted == accepted, "clients had to connect anew"
        answers = load.finish()
        assert download.finish() == BLOCKS * BLOCK
        assert still_open(sockets)
        counted = running.statistics()
    assert lost(answers) == []
    assert counted.snapshot == CHANGES + 1
    assert counted.causes == {}


def test_an_endpoint_that_goes_finishes_its_websocket_and_gets_nothing_new(servers: dict[str, Server], home: Path) -> None:
    with declared([servers["granian"]], servers["uvicorn"]).start() as running, connect(f"ws://{running.address}/socket") as old:
        running.pools["long"].set_endpoints([servers["granian"].address])
        old.send("over the old one")
        assert old.recv(PATIENCE) == "over the old one"
        with connect(f"ws://{running.address}/socket") as new:
            new.send("over the new one")
            assert new.recv(PATIENCE) == "over the new one"
        assert list(running.pools["long"].statistics().endpoints) == [servers["granian"].address]


def accepts(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_a_listener_that_is_added_serves_and_one_that_goes_finishes_what_it_has(workers: list[Server], folder: Path, home: Path) -> None:
    with declared(workers, workers[0]).start() as running, httpx.Client(base_url=running.url) as client:
        first = running.address
        assert client.get("/").status_code == 200
        both = {"web": {"bind": "127.0.0.1:0"}, "more": {"bind": ["127.0.0.1:0", "127.0.0.1:0"]}}
        running.apply(declared(workers, workers[0], listeners=both))
        assert running.address == first, "the listener that stays has another port"
        added = running.addresses["more"]
        assert [httpx.get(f"http://{address}/").status_code for address in added] == [200, 200]
        with httpx.Client(base_url=f"http://{added[0]}") as kept:
            assert kept.get("/").status_code == 200
            running.apply(declared(workers, workers[0]))
            until(lambda: not accepts(added[0]), "a listener that was removed still accepts")
            # A kept connection of it is still served: only new ones are refused.
            assert kept.get("/").status_code == 200
        assert client.get("/").status_code == 200


def test_changes_from_many_threads_are_served_one_after_the_other(workers: list[Server], home: Path) -> None:
    addresses = [server.address for server in workers]
    with declared(workers, workers[0]).start() as running, Load(running.address, clients=4) as load:

        def churn(start: int) -> None:
            for number, _ in zip(range(start, start + 20), cycle(addresses), strict=False):
                running.pools["app"].set_endpoints([Endpoint(each, weight=1 + number % 3) for each in addresses])

        threads = [threading.Thread(target=churn, args=(start,)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        load.until_answered(50)
        assert lost(load.finish()) == []
        assert set(running.pools["app"].statistics().endpoints) == set(addresses)


def test_a_server_that_goes_is_let_go_of_even_by_a_request_that_outlives_the_change(workers: list[Server], home: Path) -> None:
    """Its answer comes after the change; then its connection is closed at once, so that it may end."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        leaving = f"127.0.0.1:{listener.getsockname()[1]}"
        with declared(workers, workers[0], pools={"app": Pool([leaving]), "long": Pool([leaving])}).start() as running:
            asked = threads.submit(httpx.get, running.url, timeout=PATIENCE)
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(PATIENCE)
                assert connection.recv(65536).startswith(b"GET / ")
                running.apply(declared(workers, workers[0]))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                assert asked.result(PATIENCE).text == "ok"
                assert connection.recv(1) == b""


def test_kept_connections_to_a_server_that_goes_are_closed_at_once(workers: list[Server], home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        leaving = f"127.0.0.1:{listener.getsockname()[1]}"
        with declared(workers, workers[0], pools={"app": Pool([leaving]), "long": Pool([leaving])}).start() as running:
            asked = threads.submit(httpx.get, running.url, timeout=PATIENCE)
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(PATIENCE)
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                assert asked.result(PATIENCE).text == "ok"
                until(lambda: running.pools["app"].statistics().endpoints[leaving].connections.idle == 1, "it is not kept")
                running.apply(declared(workers, workers[0]))
                assert connection.recv(1) == b""
