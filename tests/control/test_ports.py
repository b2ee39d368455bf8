"""The process that listens on a port is named."""

import os
import socket
from pathlib import Path

import pytest

from forebay.control.ports import holder


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["v4", "v6"])
def test_a_listening_process_is_named_with_its_pid(family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family) as listener:
        listener.bind((host, 0))
        listener.listen()
        port = listener.getsockname()[1]
        comm = Path("/proc/self/comm").read_text().strip()
        assert holder(f"{host}:{port}") == f"{comm} (pid {os.getpid()}, this process)"


def test_a_port_that_is_bound_but_not_listened_on_has_no_holder() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert holder(f"127.0.0.1:{bound.getsockname()[1]}") is None


@pytest.mark.parametrize("address", ["unix:/run/app.sock", "127.0.0.1:http"])
def test_an_address_without_a_port_has_no_holder(address: str) -> None:
    assert holder(address) is None


def test_where_the_system_does_not_tell_nobody_is_named(tmp_path: Path) -> None:
    assert holder("127.0.0.1:80", proc=tmp_path) is None
