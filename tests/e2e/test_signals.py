"""A gateway in the foreground ends when it is told to, and starts not at all when it cannot do what it is asked."""

import signal
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from .programs import PATIENCE, Gateway, Server, ended, gateway, toml, until, uvicorn

pytestmark = pytest.mark.e2e

Outcome = Future[httpx.Response]


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with uvicorn("work:app", folder, "held", NAME="held") as started:
        yield started


@contextmanager
def asking(running: Gateway, folder: Path, *numbers: str) -> Iterator[list[Outcome]]:
    """Have a request for each number under way, which its server holds until there is a file `free-NUMBER`."""
    with ThreadPoolExecutor(max(1, len(numbers))) as threads:
        try:
            asked = [threads.submit(httpx.get, f"{running.url}/held?id={number}", timeout=PATIENCE) for number in numbers]
            for number in numbers:
                until((folder / f"held-{number}").exists, "the request does not arrive")
            yield asked
        finally:
            for number in numbers:
                (folder / f"free-{number}").touch()


def refuses(address: str) -> bool:
    host, _, port = address.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_finishes_what_runs_and_accepts_nothing_more(server: Server, folder: Path, number: signal.Signals) -> None:
    with gateway(folder, toml(server.address)) as running, asking(running, folder, "1", "2") as asked:
        running.signal(number)
        running.line(r"^forebay stops: 2 requests still running, cut after 30 s \(a second Ctrl-C cuts now\)$")
        until(lambda: refuses(running.address), "it still accepts connections")
        for each in ("1", "2"):
            (folder / f"free-{each}").touch()
        assert [outcome.result(PATIENCE).text for outcome in asked] == ["held", "held"]
        assert running.wait() == 0
        assert running.said.splitlines()[-1] == "forebay stopped: 2 finished / 0 cut"


def test_with_nothing_under_way_it_ends_at_once(server: Server, folder: Path) -> None:
    with gateway(folder, toml(server.address, grace="1h")) as running, httpx.Client() as client:
        assert client.get(running.url).text == "held"  # and its connection stays open, which holds nothing up
        assert running.stop() == 0
        # The client may have its answer a moment before the exchange is closed.
        assert running.said.splitlines()[-1] in {f"forebay stopped: {finished} finished / 0 cut" for finished in (0, 1)}


def test_what_still_runs_after_the_grace_is_cut_and_counted(server: Server, folder: Path) -> None:
    with gateway(folder, toml(server.address, grace="300ms")) as running, asking(running, folder, "1", "2") as asked:
        assert running.stop() == 0
        assert running.said.splitlines()[-1] == "forebay stopped: 0 finished / 2 cut"
        # Told so, or cut off: in no case anything that looks like the server's answer.
        for outcome in asked:
            assert cut(outcome)


def cut(outcome: Outcome) -> bool:
    error = outcome.exception(PATIENCE)
    return isinstance(error, httpx.TransportError) if error else outcome.result().status_code == 503


def test_a_second_interrupt_cuts_at_once(server: Server, folder: Path) -> None:
    with gateway(folder, toml(server.address, grace="1h")) as running, asking(running, folder, "1") as asked:
        running.signal(signal.SIGINT)
        running.line(r"^forebay stops: 1 request still running, cut after 3600 s \(a second Ctrl-C cuts now\)$")
        running.signal(signal.SIGINT)
        assert running.wait() == 0
        assert running.said.splitlines()[-1] == "forebay stopped: 0 finished / 1 cut"
        assert cut(asked[0])


def test_an_open_websocket_is_cut_after_the_grace(servers: dict[str, Server], folder: Path) -> None:
    with (
        gateway(folder, toml(servers["uvicorn"].address, grace="200ms")) as running,
        connect(f"ws://{running.address}/socket") as websocket,
    ):
        assert running.stop() == 0
        assert running.said.splitlines()[-1] == "forebay stopped: 0 finished / 1 cut"
        with pytest.raises(ConnectionClosed):
            websocket.recv(PATIENCE)


def test_its_port_is_free_again_at_once(server: Server, folder: Path) -> None:
    with gateway(folder, toml(server.address)) as first:
        assert httpx.get(first.url).text == "held"
        assert first.stop() == 0
    with gateway(folder, toml(server.address, listen=first.address)) as second:
        assert second.address == first.address
        assert httpx.get(second.url).text == "held"


# --- no start


def state(folder: Path) -> list[Path]:
    return list((folder / "forebay").glob("*")) if (folder / "forebay").exists() else []


def refused(folder: Path, *arguments: str) -> list[str]:
    """The lines that `forebay run` prints when it does not start; nothing of it stays."""
    done = ended(["forebay", "run", *arguments], folder)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert state(folder) == []
    assert not (folder / "access.log").exists()
    return done.stderr.splitlines()


def test_a_busy_port_is_one_clear_line(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        address = f"127.0.0.1:{busy.getsockname()[1]}"
        (folder / "gateway.toml").write_text(toml("127.0.0.1:1", listen=address, log=str(folder / "access.log")))
        (line,) = refused(folder, "gateway.toml")
    assert line.startswith("error: ")
    assert address in line
    assert "already listens there" in line
    assert "choose another port" in line


def test_the_port_of_another_gateway_is_busy_too(folder: Path) -> None:
    with gateway(folder, toml("127.0.0.1:1")) as first:
        done = ended(["forebay", "run", "--to", "127.0.0.1:1", "--listen", first.address], folder, XDG_STATE_HOME=str(folder / "two"))
    assert done.returncode == 2
    assert f"pid {first.pid}" in done.stderr


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("endpoints", "endpoint"), ["gateway.toml:6", "pools.app.endpoint", 'did you mean "endpoints"']),
        (("listen =", "lisent ="), ["gateway.toml:3", "gateway.lisent", 'did you mean "listen"']),
        (("[pools.app]", '[[routes]]\npool = "ap"\n[pools.app]'), ["gateway.toml:7", "routes[0].pool", '"ap"', '"app"']),
        (('"30s"', '"30 parsecs"'), ["gateway.toml:5", "gateway.shutdown_grace"]),
        (("[gateway]", "[gateway"), ["gateway.toml:2"]),
    ],
    ids=["unknown key", "unknown key of the gateway", "unknown pool", "no duration", "no TOML"],
)
def test_a_faulty_file_is_named_with_line_and_key(folder: Path, change: tuple[str, str], told: list[str]) -> None:
    (folder / "gateway.toml").write_text(toml("127.0.0.1:1", log=str(folder / "access.log")).replace(*change, 1))
    said = "\n".join(refused(folder, "gateway.toml"))
    assert all(each in said for each in told), said


def test_a_file_that_is_not_there_is_one_line(folder: Path) -> None:
    (line,) = refused(folder, "nowhere.toml")
    assert line.startswith("error: ")
    assert "nowhere.toml" in line


def test_a_folder_in_place_of_a_file_is_one_line(folder: Path) -> None:
    (folder / "folder.toml").mkdir()
    (line,) = refused(folder, "folder.toml")
    assert "folder.toml" in line


def test_every_fault_is_told_at_once(folder: Path) -> None:
    (folder / "gateway.toml").write_text('[gateway]\nlisten = "nonsense"\nadmni = ""\n[pools.app]\nendpoints = ["https://x"]\n')
    said = refused(folder, "gateway.toml")
    assert len([line for line in said if line.startswith("error: ")]) >= 3, said


def test_an_access_log_that_cannot_be_written_is_said_before_anything_starts(folder: Path) -> None:
    (folder / "gateway.toml").write_text(toml("127.0.0.1:1", log=str(folder / "missing/access.log")))
    said = "\n".join(refused(folder, "gateway.toml"))
    assert "missing/access.log" in said
