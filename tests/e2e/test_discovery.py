"""Names, services and files that change or fail under a gateway that serves."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from forebay import Gateway, Pool

from .load import Load, lost
from .nameserver import NameServer
from .programs import Port, gateway, toml, until

pytestmark = pytest.mark.e2e

APP = "app.example"
FLIPS = 5
TTL = 1.0


class Http(ThreadingHTTPServer):
    """Waits for its connections when it closes."""

    daemon_threads = False


class Server:
    """A server on a loopback address of its own, `127.0.0.N`, that answers with its number. It keeps connections for `idle` seconds."""

    def __init__(self, number: int, port: int, idle: float | None = None) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = idle
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("X-Server", str(number))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.host = f"127.0.0.{number}"
        self._http = Http((self.host, port), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def port() -> Iterator[int]:
    port = Port()
    yield port.number
    port.close()


@pytest.fixture
def three(port: int) -> Iterator[list[Server]]:
    """Start three servers on the same port of three addresses."""
    with ExitStack() as started:
        yield [started.enter_context(Server(number, port)) for number in (2, 3, 4)]


@pytest.fixture
def names() -> Iterator[NameServer]:
    with NameServer() as names:
        yield names


def served_by(url: str) -> str | None:
    """The number of the server that answers; None where none does."""
    server: str | None = httpx.get(url).headers.get("x-server")
    return server


def fronting(pool: Pool) -> Gateway:
    return Gateway(listen="127.0.0.1:0", access_log="off", shutdown_grace="1s", pools={"app": pool})


def test_while_the_a_record_flips_every_second_nothing_is_lost_and_a_new_address_serves_within_its_ttl_and_a_second(
    three: list[Server], port: int, names: NameServer, home: Path
) -> None:
    names.records[APP, "A"] = [three[0].host]
    names.ttl = int(TTL)
    pool = Pool([f"{APP}:{port}"], discovery={"nameservers": names.address})
    tick = threading.Event()
    with fronting(pool).start() as running:
        until(lambda: httpx.get(running.url).status_code == 200, "the name has no address")
        with Load(running.address, clients=4) as load:
            for flip in range(FLIPS):
                tick.wait(1)
                names.records[APP, "A"] = [three[(flip + 1) % 2].host]
            tick.wait(1)
            names.records[APP, "A"] = [three[2].host]
            flipped = time.monotonic()
            tick.wait(TTL + 1.5)
            answers = load.finish()
    assert [answer.lost for answer in lost(answers)] == []
    assert {answer.server for answer in answers} == {"2", "3", "4"}
    first = min(answer.end for answer in answers if answer.server == "4")
    assert first - flipped < TTL + 1
    assert {answer.server for answer in answers if answer.start > flipped + TTL + 1.2} == {"4"}


def test_a_server_that_moved_is_found_at_once_when_its_old_address_refuses_however_long_its_ttl(
    port: int, names: NameServer, home: Path
) -> None:
    names.records[APP, "A"] = ["127.0.0.2"]
    names.ttl = 3600
    pool = Pool([f"{APP}:{port}"], discovery={"nameservers": names.address, "max_ttl": "1h"})
    with Server(3, port), fronting(pool).start() as running:
        with Server(2, port, idle=0.2):  # it ends when its connections have
            until(lambda: served_by(running.url) == "2", "the name has no address")
        names.records[APP, "A"] = ["127.0.0.3"]
        moved = time.monotonic()
        until(lambda: served_by(running.url) == "3", "the new address is not used")
        assert time.monotonic() - moved < 3  # the floor between two look-ups is a second


def test_with_everything_outside_gone_it_starts_at_once_says_what_is_missing_and_recovers_alone(
    three: list[Server], port: int, names: NameServer, home: Path, tmp_path: Path
) -> None:
    service, file = "_http._tcp.app.example", tmp_path / "endpoints.json"
    names.records |= {(APP, "A"): "silence", (service, "SRV"): "silence"}
    manner = {"nameservers": names.address}
    pools = {
        "dns": Pool([f"{APP}:{port}"], discovery=manner),
        "srv": Pool(discovery={**manner, "srv": service}),
        "file": Pool(discovery={"file": file}),
    }
    routes = [{"pool": name, "match": {"path": f"/{name}"}} for name in pools]
    start = time.monotonic()
    with Gateway(listen="127.0.0.1:0", access_log="off", shutdown_grace="1s", pools=pools, routes=routes).start() as running:
        assert time.monotonic() - start < 1
        for name in pools:
            refused = httpx.get(f"{running.url}/{name}")
            assert (refused.status_code, refused.json()["cause"]) == (503, "pool_unresolved")
        assert {each["state"] for each in running.status()["discovery"]} <= {"waiting", "empty"}
        file.write_text(json.dumps([f"{three[0].host}:{port}"]))
        names.records |= {(APP, "A"): [three[1].host], (service, "SRV"): [f"0 1 {port} a.{APP}."], (f"a.{APP}", "A"): [three[2].host]}
        for name, server in (("file", "2"), ("dns", "3"), ("srv", "4")):
            until(lambda name=name, server=server: served_by(f"{running.url}/{name}") == server, name)  # type: ignore[misc]  # bound here
        # Until the name has its address there stands an endpoint without one in the place of the service's.
        until(lambda: {each["state"] for each in running.status()["discovery"]} == {"fresh"}, "not everything is fresh")


def test_a_restart_after_sigkill_with_the_name_server_gone_serves_what_it_knew_and_shows_how_old_that_is(
    three: list[Server], port: int, names: NameServer, folder: Path
) -> None:
    names.records[APP, "A"] = [three[0].host]
    configuration = toml(f"{APP}:{port}", more=f'discovery = {{ nameservers = ["{names.address}"] }}')
    with gateway(folder, configuration) as running:
        running.until(lambda: httpx.get(running.url).status_code == 200, "the name has no address")
        running.until(lambda: list(folder.rglob("discovery.json")), "nothing is kept")
        running.kill()
    names.records[APP, "A"] = "silence"
    with gateway(folder, configuration) as running:
        assert httpx.get(running.url).headers["x-server"] == "2"
        (source,) = running.status()["discovery"]
        assert (source["source"], source["state"]) == (f"{APP}:{port}", "stale")
        assert source["age"] > 0


def test_a_file_of_endpoints_is_followed_under_load_and_half_of_one_changes_nothing(
    three: list[Server], port: int, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "endpoints.toml"
    whole = [f'endpoints = ["{server.host}:{port}"]\n' for server in three]
    file.write_text(whole[0])
    with fronting(Pool(discovery={"file": file})).start() as running:
        until(lambda: httpx.get(running.url).status_code == 200, "the file is not seen")
        with Load(running.address, clients=4) as load:
            file.write_text(whole[0][:20])
            until(lambda: running.status()["discovery"][0]["state"] == "stale", "what is wrong with it is not said")
            assert running.status()["discovery"][0]["error"].startswith(f"{file}: not TOML: ")
            assert httpx.get(running.url).headers["x-server"] == "2"
            file.write_text(whole[1])
            until(lambda: httpx.get(running.url).headers["x-server"] == "3", "what is written in place is not taken")
            (tmp_path / "next.toml").write_text(whole[2])
            (tmp_path / "next.toml").replace(file)
            until(lambda: httpx.get(running.url).headers["x-server"] == "4", "what replaces it is not taken")
            file.unlink()
            until(lambda: running.status()["discovery"][0]["state"] == "stale", "that it is gone is not said")
            assert httpx.get(running.url).status_code == 200
            answers = load.finish()
    assert [answer.lost for answer in lost(answers)] == []
