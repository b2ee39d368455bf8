"""Where the state of a gateway is, and which gateways run."""

import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from forebay import ListenError
from forebay.control import state_dir
from forebay.control.state_dir import Neighbour, claim, discard, neighbours, owner, prepare, sweep


@pytest.fixture
def home() -> Iterator[Path]:
    """Short: the path of a socket may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="fb") as path:
        yield Path(path)


@pytest.fixture
def environ(home: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(home)}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_declared_directory_goes_first_then_the_one_of_systemd_then_the_home_of_state(home: Path, environ: dict[str, str]) -> None:
    environ["STATE_DIRECTORY"] = f"{home}/systemd:{home}/other"
    assert claim(f"{home}/declared", "app", environ) == home / "declared"
    assert claim(None, "app", environ) == home / "systemd"
    del environ["STATE_DIRECTORY"]
    assert claim(None, "app", environ) == home / "forebay/app"


def test_a_home_that_holds_nothing_is_stood_in_for_by_a_directory_of_this_users_own(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    (home / "file").write_text("")
    monkeypatch.setenv("HOME", str(home / "file"))
    spare = home / f"forebay-{os.getuid()}"
    assert claim(None, "app", {}) == spare / "app"
    assert mode(spare) == 0o700
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(spare / "app" / state_dir.SOCKET))
        listener.listen()
        assert [each.socket.parent for each in neighbours({})] == [spare / "app"]


def test_a_user_without_a_home_has_that_one_alone(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    def homeless() -> Path:
        message = "Could not determine home directory."
        raise RuntimeError(message)

    monkeypatch.setattr(tempfile, "tempdir", str(home))
    monkeypatch.setattr(Path, "home", homeless)
    assert claim(None, "app", {}) == home / f"forebay-{os.getuid()}/app"


def test_a_home_of_state_that_was_named_is_not_stood_in_for(home: Path) -> None:
    (home / "file").write_text("")
    with pytest.raises(ListenError, match="cannot be made"):
        claim(None, "app", {"XDG_STATE_HOME": str(home / "file")})


def test_without_a_home_of_state_it_is_the_usual_one(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("HOME", str(home))
    assert claim(None, "app", {"XDG_STATE_HOME": "relative/is/ignored"}) == home / ".local/state/forebay/app"


def test_a_directory_that_is_made_is_for_this_user_alone(home: Path, environ: dict[str, str]) -> None:
    before = os.umask(0)
    try:
        claim(None, "app", environ)
    finally:
        os.umask(before)
    assert mode(home / "forebay/app") == 0o700


def test_a_gateway_in_an_application_is_called_by_its_process_and_the_second_one_at_a_time_by_a_number(
    home: Path, environ: dict[str, str]
) -> None:
    first, second = claim(None, None, environ), claim(None, None, environ)
    assert first == home / f"forebay/pid-{os.getpid()}"
    assert second == home / f"forebay/pid-{os.getpid()}.2"
    discard(first, environ)
    assert claim(None, None, environ) == first


def test_a_directory_that_others_may_write_to_is_refused_with_the_remedy(home: Path) -> None:
    home.chmod(0o770)
    with pytest.raises(ListenError, match=r"others may write to its directory \(owner \d+, mode 0770\).*chmod go-w") as caught:
        prepare(home)
    assert caught.value.address == f"unix:{home}/control.sock"


def test_a_directory_of_somebody_else_is_refused(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    home.chmod(0o700)
    mine = home.stat().st_uid
    if mine == 0:
        os.chown(home, 65534, 65534)
    else:
        monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    with pytest.raises(ListenError, match="others may write to its directory"):
        prepare(home)


def test_a_directory_that_cannot_be_made_is_refused_with_the_remedy(home: Path) -> None:
    (home / "file").write_text("")
    with pytest.raises(ListenError, match=r"directory cannot be made.*set `state_dir`"):
        claim(str(home / "file/state"), None, {})


def test_an_ended_gateway_leaves_nothing_but_what_others_put_there(home: Path, environ: dict[str, str]) -> None:
    ours, shared, declared = (claim(None, name, environ) for name in ("ours", "shared", "x"))
    declared = claim(str(home / "declared"), None, environ)
    (shared / "kept").write_text("")
    for directory in (ours, shared, declared):
        (directory / "control.sock").write_text("")
        discard(directory, environ)
    assert not ours.exists()
    assert [path.name for path in shared.iterdir()] == ["kept"]
    assert list(declared.iterdir()) == []


def test_what_killed_processes_left_is_swept_away_and_nothing_else(home: Path, environ: dict[str, str]) -> None:
    for name in (f"pid-{dead_pid()}", f"pid-{dead_pid()}.2", f"pid-{os.getpid()}", "pid-x", "app"):
        prepare(home / "forebay" / name)
    sweep(environ)
    assert {path.name for path in (home / "forebay").iterdir()} == {f"pid-{os.getpid()}", "pid-x", "app"}


def test_the_owner_of_a_socket_is_the_process_that_listens_on_it(home: Path) -> None:
    path = home / "control.sock"
    assert owner(path) is None
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert owner(path) == os.getpid()
    assert owner(path) is None


def test_the_gateways_that_run_are_those_whose_socket_is_listened_on(home: Path, environ: dict[str, str]) -> None:
    environ["STATE_DIRECTORY"] = str(home / "systemd")
    directories = [home / "systemd", home / "forebay/b", home / "forebay/a", home / "forebay/dead"]
    for directory in directories:
        prepare(directory)
    listeners = [socket.socket(socket.AF_UNIX) for _ in directories]
    for directory, listener in zip(directories, listeners, strict=True):
        listener.bind(str(directory / state_dir.SOCKET))
        listener.listen()
    listeners[-1].close()
    found = neighbours(environ)
    for listener in listeners:
        listener.close()
    expected = [home / "forebay/a", home / "forebay/b", home / "systemd"]
    assert found == [Neighbour(directory / "control.sock", os.getpid()) for directory in expected]
