"""The admin API's sockets."""

import os
import socket
import stat
from pathlib import Path

import pytest

from forebay import ListenError
from forebay.admin.sockets import admin_socket, control_socket
from forebay.types import Address


def test_the_control_socket_is_for_this_user_alone(home: Path) -> None:
    before = os.umask(0)
    try:
        with control_socket(home):
            assert stat.S_IMODE((home / "control.sock").stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_it_is_so_before_anybody_can_connect(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []

    class Watched(socket.socket):
        def listen(self, backlog: int = 0, /) -> None:
            modes.append(stat.S_IMODE((home / "control.sock").stat().st_mode))
            super().listen(backlog)

    monkeypatch.setattr("forebay.admin.sockets.socket.socket", Watched)
    control_socket(home).close()
    assert modes == [0o600]


def test_a_socket_that_a_dead_process_left_is_replaced(home: Path) -> None:
    control_socket(home).close()
    assert (home / "control.sock").exists()
    with control_socket(home), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(home / "control.sock"))


def test_a_socket_that_lives_is_an_error_that_names_its_process_and_stays(home: Path) -> None:
    with control_socket(home):
        with pytest.raises(ListenError, match=r"another gateway \(this process\) already listens there.*`state_dir` of its own"):
            control_socket(home)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(home / "control.sock"))


def test_a_path_too_long_for_a_socket_is_told_with_its_length_and_the_remedy(home: Path) -> None:
    deep = home / ("x" * 100)
    with pytest.raises(ListenError, match=r"the path has \d+ bytes, and the system allows a socket 107; set `state_dir`"):
        control_socket(deep)
    assert not deep.exists()


def test_the_longest_path_that_the_system_takes_is_taken(home: Path) -> None:
    deep = home / ("x" * (107 - len(f"{home}//control.sock")))
    deep.mkdir()
    control_socket(deep).close()


def test_the_admin_address_listens_and_a_busy_one_is_refused() -> None:
    with admin_socket(Address.parse("127.0.0.1:0")) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ListenError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .* already listens there"):
            admin_socket(Address.parse(f"127.0.0.1:{port}"))


def test_the_admin_address_may_be_of_version_six() -> None:
    with admin_socket(Address.parse("[::1]:0")) as listener:
        assert listener.family == socket.AF_INET6
