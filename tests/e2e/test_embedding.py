"""A gateway inside programs of all kinds: twice in one, beside an event loop, on a thread, and after a fork."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from forebay import ForkError, Gateway, Pool, Running

from .documents import ROOT, environment
from .programs import PATIENCE, Server, until

pytestmark = pytest.mark.e2e


def gateway(*endpoints: str) -> Gateway:
    return Gateway(listen="127.0.0.1:0", access_log="off", shutdown_grace="5s", pools={"app": Pool(list(endpoints))})


def test_two_in_one_process_serve_side_by_side_and_end_apart(servers: dict[str, Server], home: Path) -> None:
    with gateway(servers["granian"].address).start() as second:
        with gateway(servers["uvicorn"].address).start() as first:
            answers = [httpx.get(f"{each.url}/seen") for each in (first, second)]
            assert [answer.headers["server"] for answer in answers] == ["uvicorn", "granian"]
            assert [each.statistics().exchanges.total for each in (first, second)] == [1, 1]
        assert httpx.get(f"{second.url}/seen").status_code == 200


def test_one_serves_the_other(servers: dict[str, Server], home: Path) -> None:
    with gateway(servers["uvicorn"].address).start() as inner, gateway(inner.address).start() as outer:
        seen = httpx.get(f"{outer.url}/seen").json()
    assert [value for name, value in seen["headers"] if name == "via"] == ["1.1 forebay"] * 2


def test_beside_an_event_loop_neither_waits_for_the_other(servers: dict[str, Server], home: Path) -> None:
    """The program's own client, on its loop, through its own gateway, which it changes meanwhile."""

    async def program() -> list[int]:
        async with gateway(servers["uvicorn"].address).start() as running, httpx.AsyncClient(base_url=running.url) as client:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(client.get("/seen")) for _ in range(50)]
                for address in (servers["granian"].address, servers["uvicorn"].address) * 5:
                    await asyncio.to_thread(running.pools["app"].set_endpoints, [address])
            return [task.result().status_code for task in asked]

    assert asyncio.run(program()) == [200] * 50


def test_an_upload_from_a_loop_streams_through(servers: dict[str, Server], home: Path) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"p" * 10_000

    async def program() -> Any:
        async with gateway(servers["granian"].address).start() as running, httpx.AsyncClient(base_url=running.url) as client:
            return (await client.post("/digest", content=parts())).json()

    assert asyncio.run(program())["bytes"] == 1_000_000


def test_on_a_thread_of_the_application_it_runs_until_its_block_ends(servers: dict[str, Server], home: Path) -> None:
    started: list[Running] = []
    up, over = threading.Event(), threading.Event()

    def work() -> None:
        with gateway(servers["uvicorn"].address).start() as running:
            started.append(running)
            up.set()
            over.wait(PATIENCE)

    thread = threading.Thread(target=work)
    thread.start()
    assert up.wait(PATIENCE)
    url = started[0].url
    assert httpx.get(f"{url}/seen").status_code == 200
    over.set()
    thread.join(PATIENCE)
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_a_forked_child_is_refused_and_its_parent_goes_on_serving(servers: dict[str, Server], home: Path) -> None:
    with gateway(servers["uvicorn"].address).start() as running:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            refused = [
                _refused(use)
                for use in (
                    running.statistics,
                    running.stop,
                    lambda: running.pools["app"].set_endpoints(["127.0.0.1:1"]),
                    lambda: running.apply(gateway("127.0.0.1:1")),
                )
            ]
            os.write(writing, b"refused" if all(refused) else b"served")
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reading, 100) == b"refused"
        os.close(reading)
        os.close(writing)
        assert httpx.get(f"{running.url}/seen").status_code == 200


def _refused(use: Any) -> bool:
    try:
        use()
    except ForkError:
        return True
    return False


def test_a_name_that_does_not_resolve_is_503_and_serves_alone_once_it_does(
    servers: dict[str, Server], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's resolver is asked; what it answers is the test's, and the start has waited for none of it."""
    real, known = socket.getaddrinfo, threading.Event()

    def answer(host: str, port: int, *rest: Any, **options: Any) -> Any:
        if host != "app.test":
            return real(host, port, *rest, **options)
        if not known.is_set():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr("forebay.control.discovery.dns.RESOLV_CONF", "/nowhere")  # then the system is asked at once
    monkeypatch.setattr(socket, "getaddrinfo", answer)
    port = servers["uvicorn"].address.rpartition(":")[2]
    with gateway(f"app.test:{port}").start() as running, httpx.Client(base_url=running.url) as client:
        refused = client.get("/seen")
        assert (refused.status_code, refused.json()["cause"]) == (503, "pool_unresolved")
        assert running.status()["pools"]["app"]["endpoints"][f"app.test:{port}"]["status"] == "unresolved"
        known.set()
        until(lambda: client.get("/seen").status_code == 200, "the pool does not recover")
        (endpoint,) = running.pools["app"].statistics().endpoints
        assert endpoint == f"127.0.0.1:{port}"


def test_the_example_of_a_program_that_starts_its_own_workers_serves_while_it_replaces_them(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/embed.py")],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    served = [line.split()[2:] for line in done.stdout.splitlines() if line.startswith("served by")]
    assert [sorted(set(names)) for names in served] == [["a", "b"], ["b", "c"], ["c", "d"]]
    assert done.stdout.splitlines()[-1] == "12 requests served, 0 failed"
