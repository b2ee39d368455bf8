"""WebSocket through the gateway, with the `websockets` client and the servers' own implementations."""

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from .programs import PATIENCE, Gateway

pytestmark = pytest.mark.e2e


@pytest.fixture(params=["uvicorn", "granian", "unix"])
def url(request: pytest.FixtureRequest, front: Gateway) -> str:
    return f"ws://{front.address}/{request.param}/socket"


def opened(url: str) -> ClientConnection:
    return connect(url, open_timeout=PATIENCE, close_timeout=PATIENCE, max_size=None)


def test_what_is_said_comes_back_text_and_binary_small_and_large(url: str) -> None:
    large = b"\x00\xff" * 1_000_000
    with opened(url) as socket:
        for said in ("hello", "", "\N{WATER WAVE}" * 1000, b"\x00", large):
            socket.send(said)
            assert socket.recv(PATIENCE) == said


def test_the_client_closes_and_the_server_answers_with_the_same_code(url: str) -> None:
    with opened(url) as socket:
        socket.close(4000, "enough")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(PATIENCE)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4000
    assert closed.value.rcvd_then_sent is False


def test_the_server_closes_with_its_code_and_reason(url: str) -> None:
    with opened(url) as socket:
        socket.send("close")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(PATIENCE)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as you wish")
    assert closed.value.rcvd_then_sent is True


def test_a_ping_is_answered(url: str) -> None:
    with opened(url) as socket:
        assert socket.ping().wait(PATIENCE)


def test_the_subprotocol_that_the_server_chose_reaches_the_client(front: Gateway) -> None:
    url = f"ws://{front.address}/uvicorn/socket"
    with connect(url, subprotocols=[Subprotocol("chat"), Subprotocol("other")]) as socket:
        assert socket.subprotocol == "chat"


def test_a_tunnel_is_counted_while_it_is_open_and_no_longer(url: str, front: Gateway) -> None:
    with opened(url) as socket:
        socket.send("here")
        socket.recv(PATIENCE)
        counted = front.status()["exchanges"]
        assert (counted["running"], counted["tunnels"]) == (0, 1)
    front.until(lambda: front.status()["exchanges"]["tunnels"] == 0, "a tunnel stays open")


def test_a_server_that_refuses_the_upgrade_is_heard(front: Gateway) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://{front.address}/uvicorn/seen").close()
    assert refused.value.response.status_code in {403, 404}


def test_requests_go_on_beside_an_open_websocket(url: str, front: Gateway) -> None:
    with opened(url) as socket:
        assert httpx.get(f"{front.url}/uvicorn/seen").status_code == 200
        socket.send("still here")
        assert socket.recv(PATIENCE) == "still here"
