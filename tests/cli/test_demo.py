"""The demo's parts: real servers, an honest client, and a verdict that follows from what was seen."""

import asyncio
import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rich.console import Console

from forebay import EndpointStatistics, Gateway, Pool, PoolStatistics, Statistics
from forebay.cli.demo.load import Answer, Client, drive
from forebay.cli.demo.screen import Lines, draw
from forebay.cli.demo.servers import Server
from forebay.cli.demo.story import Story
from forebay.config.snapshot import snapshot
from forebay.control.loop import encode
from forebay.testing import FakeEngine

OK = b"HTTP/1.1 200 OK\r\nX-Server: a\r\nContent-Length: 2\r\n\r\nhi"


def pool(**b: object) -> PoolStatistics:
    """What the gateway would say of three servers, with these fields of server b."""
    endpoints = [{"address": f"10.0.0.{index}:80", "id": name} for index, name in enumerate("abc")]
    gateway = Gateway(listen="127.0.0.1:0", pools={"app": Pool(endpoints)})
    engine = FakeEngine(encode(snapshot(gateway, 1, {})), observed={"app": {"b": dict(b)}})
    parsed = Statistics.parse(engine.statistics()).pools["app"]
    engine.shutdown()
    return parsed


def told(*, lost: bool = False, back: bool = True) -> Story:
    """A whole story of twelve seconds."""
    story = Story(["a", "b", "c"], victim="b")
    for index in range(30):
        story.note(Answer(0.020, "abc"[index % 3]), index / 10)
    story.kill(4.0, 77)
    story.observe(pool(status="ejected", reason="3 failures in a row: connect_refused", failures=3), 4.1)
    if lost:
        story.note(Answer(5.0, lost="answered with 502 Bad Gateway"), 5.0)
    story.note(Answer(0.030, "a"), 6.0)
    story.restart(8.0)
    if back:
        story.note(Answer(0.020, "b"), 8.9)
    return story


@contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """A server that gives each connection the next of these answers to its first request, and closes it after that."""

    def serve() -> None:
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def ask(address: str) -> Answer:
    async def get() -> Answer:
        client = Client(address)
        try:
            return await client.get()
        finally:
            client.close()

    return asyncio.run(get())


def test_without_a_loss_and_with_its_victim_back_the_verdict_is_good() -> None:
    story = told()
    assert story.good
    assert story.verdict() == [
        "32 requests, 0 lost",
        "  b was killed at 4.0 s: 3 attempts on it failed, 0 were repeated elsewhere",
        "  it was started again at 8.0 s and served again 0.9 s later",
    ]


def test_one_lost_request_makes_it_bad_and_is_named() -> None:
    story = told(lost=True)
    assert not story.good
    assert story.verdict()[0] == "33 requests, 1 lost"
    assert story.verdict()[-1] == "  lost: 1 x answered with 502 Bad Gateway"


def test_a_victim_that_does_not_come_back_makes_it_bad() -> None:
    story = told(back=False)
    assert not story.good
    assert story.verdict()[-1] == "  it was started again at 8.0 s and did not serve again"


def test_a_demo_without_requests_proves_nothing() -> None:
    story = Story(["a", "b", "c"], victim="b")
    assert not story.good
    assert story.verdict() == ["0 requests, 0 lost"]


def test_events_are_told_once_each_in_their_order() -> None:
    story = told()
    story.observe(pool(status="ejected", reason="again"), 9.0)
    assert story.events == [
        (4.0, "b killed (kill -9 77)"),
        (4.1, "b is passed over: 3 failures in a row: connect_refused"),
        (8.0, "b started again"),
        (8.9, "b serves again"),
    ]


def test_the_share_is_that_of_the_last_two_seconds_and_the_quantiles_are_of_all() -> None:
    story = told()
    story.observe(pool(), 8.0)
    assert [story.share(name) for name in "abc"] == [0.5, 0.5, 0]
    assert story.quantile("a", 0.5) == 0.020
    assert story.quantile("a", 0.99) == 0.030
    assert story.quantile("nobody", 0.5) is None


def test_plain_is_a_line_a_second_and_one_for_each_event(capsys: pytest.CaptureFixture[str]) -> None:
    screen, story = Lines(), told()
    for now in (8.9, 9.0, 9.5, 10.0):
        screen.show(story, now)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:7] for line in lines] == ["  4.0 s", "  4.1 s", "  8.0 s", "  8.9 s", "  8.9 s", "  9.0 s", " 10.0 s"]
    assert lines[-1].startswith(" 10.0 s  32 requests, 0 lost; a unknown, 36%, p50 20.0 ms; b ejected, ")


def test_the_picture_shows_every_server_and_the_last_events() -> None:
    story = told()
    story.observe(pool(status="ejected"), 9.0)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(draw(story, 9.0))
    text = console.export_text()
    assert "9.0 s   32 requests, 0 lost" in text
    [row] = [line for line in text.splitlines() if line.split()[:1] == ["b"]]
    assert row.split() == ["b", "ejected", "100%", "11", "20.0", "ms", "20.0", "ms"]
    assert "8.9 s  b serves again" in text


def test_a_server_keeps_its_address_when_it_is_killed_and_started_again() -> None:
    with Server("a") as server:
        first = ask(server.address)
        pid, address = server.pid, server.address
        server.kill()
        assert ask(address).lost is not None
        server.start()
        assert (server.address, server.pid == pid) == (address, False)
        assert (first.server, ask(address).server) == ("a", "a")
    assert ask(address).lost is not None


def test_a_server_ends_when_the_demo_does_however_that_ends() -> None:
    server = Server("a")
    server.start()
    process = server._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()  # as the kernel does for a demo that was killed
    assert process.wait(10) == 0
    server.kill()


@pytest.mark.parametrize(
    ("answer", "lost"),
    [
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "answered with 502 Bad Gateway"),
        (b"", "0 bytes read on a total of undefined expected bytes"),
        (b"HTTP/1.1 200 OK\r\nX-Server: a\r\nContent-Length: 5\r\n\r\nhi", "2 bytes read on a total of 5 expected bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "the answer names no server"),
    ],
    ids=["an error", "nothing", "a part", "nobody's"],
)
def test_whatever_is_not_a_whole_good_answer_is_lost_and_says_why(answer: bytes, lost: str) -> None:
    with answering(answer) as address:
        found = ask(address)
    assert (found.server, found.lost) == (None, lost)


def test_the_load_sends_as_many_requests_a_second_as_it_is_told() -> None:
    answers: list[Answer] = []

    async def load(address: str) -> None:
        client = Client(address)
        await drive(client, rate=1000, going=lambda: len(answers) < 5, note=answers.append)
        client.close()

    with Server("a") as server:
        asyncio.run(load(server.address))
    assert len(answers) >= 5
    assert {answer.server for answer in answers} == {"a"}


def test_the_status_that_is_shown_is_the_gateways_own() -> None:
    story = told()
    story.observe(pool(status="ejected"), 9.0)
    endpoint = story.endpoint("b")
    assert isinstance(endpoint, EndpointStatistics)
    assert endpoint.status == "ejected"
