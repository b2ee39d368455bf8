"""Bodies stream through, whole and at once: downloads and uploads of 100 MB, parts one by one, server-sent events."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse

import httpx
import pytest

from .applications.asgi import BLOCK, block
from .programs import PATIENCE, Gateway, Server, resident

pytestmark = pytest.mark.e2e

BLOCKS = 1600  # 100 MB and some
MEMORY = 32 * 1024 * 1024  # so much of them may be held on to at most


@pytest.fixture
def client(front: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=front.url, timeout=PATIENCE) as made:
        yield made


def sha256(blocks: int) -> str:
    digest = hashlib.sha256()
    for number in range(blocks):
        digest.update(block(number))
    return digest.hexdigest()


def upload(blocks: int) -> Iterator[bytes]:
    for number in range(blocks):
        yield block(number)


@pytest.mark.parametrize("length", [True, False], ids=["with-length", "chunked"])
def test_100_mb_come_down_whole_and_are_not_held_in_memory(
    client: httpx.Client,
    front: Gateway,
    server: Server,
    length: bool,  # noqa: FBT001
) -> None:
    before = resident(front.pid)
    digest, count, most = hashlib.sha256(), 0, before
    with client.stream("GET", f"/{server.name}/bytes?blocks={BLOCKS}{'&length' if length else ''}") as response:
        for part in response.iter_raw():
            digest.update(part)
            count += len(part)
            if count % 16 == 0:
                most = max(most, resident(front.pid))
    assert ("content-length" in response.headers, "transfer-encoding" in response.headers) == (length, not length)
    assert (count, digest.hexdigest()) == (BLOCKS * BLOCK, sha256(BLOCKS))
    assert most - before < MEMORY


@pytest.mark.parametrize("length", [True, False], ids=["with-length", "chunked"])
def test_100_mb_go_up_whole_and_are_not_held_in_memory(
    client: httpx.Client,
    front: Gateway,
    server: Server,
    length: bool,  # noqa: FBT001
) -> None:
    before = resident(front.pid)
    headers = {"Content-Length": str(BLOCKS * BLOCK)} if length else {}
    told = client.post(f"/{server.name}/digest", content=upload(BLOCKS), headers=headers).json()
    assert told == {"bytes": BLOCKS * BLOCK, "sha256": sha256(BLOCKS)}
    assert resident(front.pid) - before < MEMORY


def test_a_body_that_is_sent_back_as_it_comes_passes_both_ways_at_once(front: Gateway, server: Server) -> None:
    """Each part is sent only when the one before has come back: nobody on the way holds anything back."""
    with closing(HTTPConnection(front.address, timeout=PATIENCE)) as connection:
        connection.putrequest("POST", f"/{server.name}/echo")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        response = HTTPResponse(connection.sock, method="POST")  # not getresponse(): the request has not ended yet
        for part in (b"first", b"second", b"third"):
            connection.send(b"%x\r\n%b\r\n" % (len(part), part))
            if part == b"first":
                response.begin()
            assert response.read1() == part
        connection.send(b"0\r\n\r\n")
        assert response.read() == b""


def test_each_event_passes_before_the_next_one_is_sent(client: httpx.Client, server: Server) -> None:
    got = []
    with client.stream("GET", f"/{server.name}/events?name=one") as response:
        lines = response.iter_lines()
        for _ in range(3):
            client.post(f"/{server.name}/next?name=one")  # only now does the server send another event
            got.append(next(line for line in lines if line))
    assert response.headers["content-type"].startswith("text/event-stream")
    assert got == ["data: 0", "data: 1", "data: 2"]
