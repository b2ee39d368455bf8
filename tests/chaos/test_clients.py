"""A client goes away before it has its answer."""

import socket
import time
from functools import partial
from pathlib import Path

import pytest
from tests.e2e.programs import until

from .world import Server, bar, configuration, gateway, servers, until_healthy

pytestmark = pytest.mark.e2e

SOON = bar(0.100)


def test_the_server_sees_within_a_tenth_of_a_second_that_the_client_is_gone(folder: Path) -> None:
    with servers(folder, 1) as found, gateway(folder, configuration(found)) as running:
        until_healthy(running, found)
        host, _, port = running.address.rpartition(":")
        times = []
        for number in map(str, range(10)):
            client = socket.create_connection((host, int(port)))
            client.sendall(f"POST /?id={number}&wait=20 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n".encode())
            until(partial(noted, found[0], "began", number), "it has not begun")
            left = time.monotonic()
            client.close()
            gone = until(partial(noted, found[0], "gone", number), "it sees nothing")
            times.append(float(gone[1]) - left)
    assert max(times) < SOON


def noted(server: Server, word: str, number: str) -> list[str] | None:
    """What the server has noted of a request under a word."""
    return next((words for words in server.notes(word) if words[0] == number), None)
