"""`Upgrade`: after 101 a connection is a tunnel, each direction of which ends by itself."""

from pathlib import Path

import pytest

from .backend import Backend, Conversation
from .harness import gateway, get, records
from .wire import Client

ASK = get("/chat", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n"


def switching(conversation: Conversation) -> None:
    """Switch, then answer each line with itself in upper case until the client's side ends, and say goodbye."""
    conversation.request()
    conversation.send(SWITCH)
    while (line := conversation.until(b"\n")) != b"end\n":
        conversation.send(line.upper())
    conversation.drain()


def test_an_upgrade_is_asked_for_and_granted_hop_by_hop() -> None:
    with Backend(switching) as backend, gateway(backend) as running, Client(running.address) as client:
        answer = client.ask(ASK)
        assert (answer.status, answer.get(b"upgrade"), answer.get(b"connection")) == (101, b"websocket", b"Upgrade")
        assert (answer.get(b"sec-websocket-accept"), answer.get(b"content-length")) == (b"x", None)
        request = backend.requests[0]
        assert (request.get(b"upgrade"), request.get(b"connection")) == (b"websocket", b"Upgrade")
        for line in (b"a\n", b"b" * 100_000 + b"\n"):
            client.send(line)
            assert client.exactly(len(line)) == line.upper()
        assert running.statistics().exchanges.tunnels == 1


def test_bytes_sent_right_with_the_handshakes_are_not_lost() -> None:
    def eager(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(SWITCH + b"welcome\n")
        assert conversation.until(b"\n") == b"early\n"
        conversation.send(b"seen\n")
        conversation.drain()

    with Backend(eager) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(ASK + b"early\n")
        assert client.response().status == 101
        assert client.until(b"\n") == b"welcome\n"
        assert client.until(b"\n") == b"seen\n"


def test_a_client_may_shut_its_side_and_still_hear_the_server() -> None:
    def last_words(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(SWITCH)
        heard = conversation.to_the_end()
        conversation.send(b"heard " + heard)

    with Backend(last_words) as backend, gateway(backend) as running, Client(running.address) as client:
        client.ask(ASK)
        client.send(b"words")
        client.shut()
        assert client.to_the_end() == b"heard words"
        backend.wait_over()


def test_a_server_may_shut_its_side_and_still_hear_the_client() -> None:
    heard = b""

    def listening(conversation: Conversation) -> None:
        nonlocal heard
        conversation.request()
        conversation.send(SWITCH + b"bye")
        conversation.shut()
        heard = conversation.to_the_end()

    with Backend(listening) as backend, gateway(backend) as running, Client(running.address) as client:
        client.ask(ASK)
        assert client.to_the_end() == b"bye"
        client.send(b"still here")
        client.shut()
        backend.wait_over()
        assert heard == b"still here"


def test_a_tunnel_that_the_client_resets_ends_for_the_server() -> None:
    with Backend(switching) as backend, gateway(backend) as running:
        client = Client(running.address)
        client.ask(ASK)
        client.send(b"a\n")
        client.until(b"\n")
        client.reset()
        backend.wait_over()


def test_a_tunnel_that_the_server_resets_ends_for_the_client() -> None:
    def breaking(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(SWITCH)
        conversation.until(b"\n")
        conversation.reset()

    with Backend(breaking) as backend, gateway(backend) as running, Client(running.address) as client:
        client.ask(ASK)
        client.send(b"a\n")
        assert client.outcome()[0] == b""


def test_a_quiet_tunnel_ends_at_its_limit_and_a_ping_keeps_it(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    limits = {"tunnel_timeout": "300ms"}
    with Backend(switching) as backend, gateway(backend, limits=limits, access_log=str(log)) as running:
        with Client(running.address) as client:
            client.ask(ASK)
            client.sock.settimeout(0.1)
            for _ in range(8):
                client.send(b"ping\n")
                assert client.until(b"\n") == b"PING\n"
                with pytest.raises(TimeoutError):
                    client.fill()
            client.sock.settimeout(5)
            client.outcome()
        backend.wait_over()
    record = records(log)[0]
    assert (record["status"], record["cause"], record["phase"]) == (101, "tunnel_timeout", "tunnel")
    assert (record["bytes_in"], record["bytes_out"]) == (40, 40)


def test_only_the_listeners_tokens_may_be_asked_for() -> None:
    with Backend(switching) as backend, gateway(backend, listener={"upgrades": ["chat"]}) as running, Client(running.address) as client:
        client.send(ASK)
        backend.wait(lambda backend: backend.log.endswith(b"\r\n\r\n"))
        assert backend.requests[0].get(b"upgrade") is None
        assert client.response().status == 502, "the server of this test switches all the same"


def test_an_answer_other_than_101_leaves_an_ordinary_connection() -> None:
    with Backend() as backend, gateway(backend) as running, Client(running.address) as client:
        assert client.ask(ASK).body == b"GET /chat\n"
        assert client.get("/next").body == b"GET /next\n"
        assert len(backend.conversations) == 1
