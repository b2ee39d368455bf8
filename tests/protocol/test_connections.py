"""How long a client's connection lives, and in which order it is answered."""

import select
import threading
from pathlib import Path

import pytest

from .backend import Backend, Conversation, answers, echo
from .harness import cause, gateway, get, problem, records, refused, wait_until
from .wire import Client, ok


def test_pipelined_requests_are_answered_one_after_another_in_their_order() -> None:
    with Backend() as backend, gateway(backend, threads=2) as running, Client(running.address) as client:
        client.send(b"".join(get(f"/{index}", method="POST", body=b"x" * index) for index in range(50)))
        assert [client.response().body for _ in range(50)] == [b"POST /%d\n" % index + b"x" * index for index in range(50)]
        assert [request.target for request in backend.requests] == [b"/%d" % index for index in range(50)]
        assert len(backend.conversations) == 1


def test_a_pipelined_request_goes_on_only_when_the_one_before_is_answered() -> None:
    go = threading.Event()

    def slow(conversation: Conversation) -> None:
        conversation.request()
        go.wait(5)
        conversation.send(ok(b"first"))
        echo(conversation)

    with Backend(slow) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(get("/first") + get("/second"))
        backend.wait(lambda backend: backend.log.endswith(b"\r\n\r\n"))
        assert b"/second" not in backend.log
        go.set()
        assert [client.response().body, client.response().body] == [b"first", b"GET /second\n"]


def test_a_connection_asked_to_close_is_closed_after_its_answer() -> None:
    with Backend() as backend, gateway(backend) as running, Client(running.address) as client:
        answer = client.get("/", "Connection: close")
        assert (answer.status, answer.get(b"connection")) == (200, b"close")
        assert client.to_the_end() == b""
        assert len(backend.requests) == 1


def test_a_quiet_connection_is_closed_at_its_limit_without_a_word() -> None:
    with Backend() as backend, gateway(backend, limits={"keepalive_timeout": "80ms"}) as running, Client(running.address) as client:
        client.get()
        assert client.to_the_end() == b""


def test_an_http_1_0_client_is_answered_in_its_own_terms() -> None:
    with Backend() as backend, gateway(backend) as running, Client(running.address) as client:
        answer = client.ask(b"GET /old HTTP/1.0\r\n\r\n")
        assert (answer.body, answer.get(b"connection")) == (b"GET /old\n", b"close")
        assert client.to_the_end() == b""
        request = backend.requests[0]
        assert request.start == b"GET /old HTTP/1.1"
        assert request.get(b"via") == b"1.0 forebay"


def test_an_http_1_0_client_keeps_its_connection_where_it_asks_and_the_length_is_known() -> None:
    old = b"GET /%d HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
    with Backend() as backend, gateway(backend) as running, Client(running.address) as client:
        for index in range(3):
            answer = client.ask(old % index)
            assert (answer.body, answer.get(b"connection")) == (b"GET /%d\n" % index, b"keep-alive")
        backend.script = answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        backend.conversations[0].shut()
        answer = client.ask(old % 3)
        assert (answer.body, answer.get(b"connection"), answer.get(b"transfer-encoding")) == (b"hello", b"close", None)


@pytest.mark.parametrize("kept", [False, True])
def test_an_http_1_0_server_is_asked_again_on_the_same_connection_only_where_it_says_so(*, kept: bool) -> None:
    def old(conversation: Conversation) -> None:
        while True:
            conversation.request()
            conversation.send(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n" + b"Connection: keep-alive\r\n" * kept + b"\r\nhello")

    with Backend(old) as backend, gateway(backend) as running, Client(running.address) as client:
        assert [client.get().body for _ in range(3)] == [b"hello"] * 3
        assert len(backend.conversations) == (1 if kept else 3)


def test_a_response_that_ends_with_its_connection_is_chunked_for_a_client_that_stays() -> None:
    with Backend(answers(b"HTTP/1.0 200 OK\r\n\r\nhello", close=True)) as backend, gateway(backend) as running:
        with Client(running.address) as client:
            for _ in range(2):
                answer = client.get()
                assert (answer.body, answer.get(b"transfer-encoding")) == (b"hello", b"chunked")
        with Client(running.address) as client:
            answer = client.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert (answer.body, answer.get(b"connection")) == (b"hello", b"close")


@pytest.mark.parametrize("behind", [b"", get("/pipelined"), b"GET /half"], ids=["alone", "behind a request", "behind half a request"])
def test_a_client_that_goes_takes_its_request_to_the_server_with_it(behind: bytes, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with Backend(answers()) as backend, gateway(backend, access_log=str(log)) as running:
        backend.script = Conversation.drain
        with Client(running.address) as client:
            client.send(get("/first") + behind)
            backend.wait(lambda backend: b"/first" in backend.log)
        backend.wait_over()
        wait_until(lambda: running.statistics().exchanges.running == 0)
        assert b"/pipelined" not in backend.log
    first = records(log)[0]
    assert (first["status"], first["origin"], first["cause"]) == (499, "client", "client_abort")


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_goes_in_the_middle_of_a_response_ends_it_at_the_server(how: str) -> None:
    def endless(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            conversation.send(b"5\r\nhello\r\n")

    with Backend(endless) as backend, gateway(backend) as running:
        client = Client(running.address)
        client.send(get())
        client.head()
        client.reset() if how == "reset" else client.close()
        backend.wait_over()


def test_a_client_that_goes_in_the_middle_of_its_content_ends_it_visibly_at_the_server() -> None:
    with Backend() as backend, gateway(backend) as running:
        with Client(running.address) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            backend.wait(lambda backend: b"hello" in backend.log)
        backend.wait_over()
        assert backend.judged[0].partial, "no last chunk was made up for it"


def test_with_half_close_a_client_that_has_shut_its_side_is_answered() -> None:
    with Backend() as backend, gateway(backend, listener={"half_close": True}) as running, Client(running.address) as client:
        client.send(get("/first") + get("/second"))
        client.shut()
        first, second = client.response(), client.response()
        assert (first.body, second.body, second.get(b"connection")) == (b"GET /first\n", b"GET /second\n", b"close")
        assert client.to_the_end() == b""


@pytest.mark.parametrize("status", ["413 Content Too Large", "401 Unauthorized"])
def test_an_early_refusal_reaches_the_client_while_its_content_still_comes_and_the_connection_closes(status: str) -> None:
    def refusing(conversation: Conversation) -> None:
        conversation.request_head()
        conversation.send(ok(b"no", status=status))
        conversation.drain()

    with Backend(refusing) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        answer = client.response()
        assert (answer.status, answer.body, answer.get(b"connection")) == (int(status[:3]), b"no", b"close")
        assert client.to_the_end() == b""
        backend.wait_over()


def test_an_answer_that_comes_while_the_content_still_does_may_go_on_beside_it() -> None:
    def mirror(conversation: Conversation) -> None:
        conversation.request_head()
        conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while conversation.until(b"\r\n") != b"0\r\n":
            conversation.send(b"4\r\necho\r\n")
            conversation.until(b"\r\n")
        conversation.until(b"\r\n")
        conversation.send(b"0\r\n\r\n")
        echo(conversation)

    with Backend(mirror) as backend, gateway(backend) as running, Client(running.address) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.head()
        for _ in range(5):
            client.send(b"5\r\nhello\r\n")
            assert client.exactly(9) == b"4\r\necho\r\n"
        client.send(b"0\r\n\r\n")
        assert client.exactly(5) == b"0\r\n\r\n"
        assert client.get("/next").body == b"GET /next\n", "both messages ended, so the connection stays"


def test_three_hundred_half_open_heads_do_not_disturb_others() -> None:
    with Backend() as backend, gateway(backend, limits={"head_timeout": "400ms"}) as running:
        half = [Client(running.address) for _ in range(300)]
        for client in half:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        with Client(running.address) as good:
            assert [good.get(f"/{index}").status for index in range(100)] == [200] * 100
        for client in half:
            with client:
                answer = refused(client)
                assert (answer.status, cause(answer)) == (408, "head_timeout")
                assert problem(answer)["phase"] == "head"
        assert len(backend.requests) == 100


def test_a_head_that_comes_byte_by_byte_has_one_limit_for_all_of_it() -> None:
    with Backend() as backend, gateway(backend, limits={"head_timeout": "150ms"}) as running, Client(running.address) as client:
        for _ in range(1000):
            client.send(b"X")
            if select.select([client.sock], [], [], 0.01)[0]:
                break
        assert cause(refused(client)) == "head_timeout"
        assert backend.log == b""
