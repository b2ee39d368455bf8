"""The engine's refusals, in words for a user."""

import errno
import os
import socket

import pytest

from forebay import ConfigError, ListenError
from forebay.control.engine import BindError, EngineError, listen_error, refusals


def bind_error(number: int, address: str = "192.0.2.1:80") -> ListenError:
    return listen_error(BindError(number, os.strerror(number), address))


def test_a_busy_port_names_who_has_it_and_what_to_do() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        error = bind_error(errno.EADDRINUSE, address)
    assert error.address == address
    assert f"(pid {os.getpid()}, this process) already listens there" in error.reason
    assert "choose another port" in str(error)


def test_a_busy_port_of_a_process_that_cannot_be_seen_is_another_process() -> None:
    assert bind_error(errno.EADDRINUSE, "127.0.0.1:0").reason == "another process already listens there"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "this user may not listen there; choose a port above 1023"),
        (errno.EADDRNOTAVAIL, "no network interface of this machine has that address; listen on 127.0.0.1"),
        (errno.EMFILE, "Too many open files"),
    ],
)
def test_every_other_refusal_says_why_and_what_to_do(number: int, words: str) -> None:
    assert f"cannot listen on 192.0.2.1:80: {words}" in str(bind_error(number))


def test_a_socket_that_cannot_be_had_is_a_listen_error() -> None:
    with pytest.raises(ListenError), refusals():
        raise BindError(errno.EACCES, "Permission denied", "127.0.0.1:80")


def test_a_snapshot_that_only_the_engine_can_refuse_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(ConfigError) as caught, refusals():
        raise EngineError("routes[0]: regex parse error")
    assert [fault.message for fault in caught.value.faults] == ["routes[0]: regex parse error"]
