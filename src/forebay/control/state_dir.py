"""Where a running gateway keeps its state, and how a command finds it there."""

import os
import socket
import stat
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from forebay.errors import ListenError

SOCKET = "control.sock"
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


@dataclass(frozen=True)
class Neighbour:
    """A gateway that runs on this machine: its control socket and its process."""

    socket: Path
    pid: int


def base(environ: Mapping[str, str]) -> Path:
    """The directory that holds one directory for each gateway of this user."""
    state = environ.get("XDG_STATE_HOME", "")
    # The XDG base directory specification has relative paths ignored.
    return Path(state if state.startswith("/") else Path("~/.local/state").expanduser()) / "forebay"


def claim(declared: str | None, name: str | None, environ: Mapping[str, str]) -> Path:
    """Make the state directory of a gateway: as declared, else $STATE_DIRECTORY (systemd), else under `base`.

    `name` is what it is called there; None, for a gateway inside an application, gives it `pid-12`, or `pid-12.2` for the second
    one at a time.

    Raises:
        ListenError: where that is impossible, or others may write to the one that is there.
    """
    if declared:
        directory = Path(declared).expanduser().absolute()
    elif given := environ.get("STATE_DIRECTORY", "").split(":")[0]:
        directory = Path(given)
    elif name is not None:
        directory = base(environ) / name
    else:
        sweep(environ)
        return _first_free(base(environ) / f"pid-{os.getpid()}")
    prepare(directory)
    return directory


def _first_free(directory: Path) -> Path:
    prepare(directory.parent)
    for number in count(1):
        candidate = directory if number == 1 else directory.with_name(f"{directory.name}.{number}")
        with suppress(FileExistsError):
            candidate.mkdir(mode=0o700)
            return candidate
    raise AssertionError("count() does not end")


def prepare(directory: Path) -> None:
    """Make the directory, for this user alone (0700).

    Raises:
        ListenError: where that is impossible, or others may write to the one that is there.
    """
    try:
        missing = not directory.exists()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if missing:
            directory.chmod(0o700)  # whatever the umask took away
        mode = directory.stat().st_mode
    except OSError as error:
        reason = f"its directory cannot be made ({error.strerror}: {error.filename})"
        raise ListenError(f"unix:{directory / SOCKET}", reason, hint=_CHOOSE) from error
    if mode & _WRITABLE_BY_OTHERS:
        reason = f"others may write to its directory (mode {stat.S_IMODE(mode):04o}), and so put their own socket there"
        raise ListenError(f"unix:{directory / SOCKET}", reason, hint=f"run `chmod go-w {directory}`, or choose another state_dir")


_CHOOSE = "set `state_dir` in [gateway], or $STATE_DIRECTORY, to a directory that this user may write to"


def discard(directory: Path, environ: Mapping[str, str]) -> None:
    """Take an ended gateway's socket away, and its directory where that is one of ours and nothing else is in it."""
    with suppress(OSError):  # somebody else tidied up first, or keeps something there
        (directory / SOCKET).unlink(missing_ok=True)
        if directory.parent == base(environ):
            directory.rmdir()


def sweep(environ: Mapping[str, str]) -> None:
    """Discard what embedded gateways of processes that were killed have left behind."""
    for directory in base(environ).glob("pid-*"):
        pid = directory.name.removeprefix("pid-").split(".")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists() and owner(directory / SOCKET) is None:
            discard(directory, environ)


def owner(path: Path) -> int | None:
    """The process that listens on a Unix socket; None where nobody does any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
            pid, _, _ = _CREDENTIALS.unpack(probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        except OSError:
            return None
        return int(pid)


def neighbours(environ: Mapping[str, str]) -> list[Neighbour]:
    """The gateways of this user that run now, by the name of their directory."""
    return sorted(_running(environ), key=lambda neighbour: neighbour.socket)


def _running(environ: Mapping[str, str]) -> Iterator[Neighbour]:
    candidates = set(base(environ).glob(f"*/{SOCKET}"))
    candidates |= {Path(given) / SOCKET for given in environ.get("STATE_DIRECTORY", "").split(":") if given}
    for candidate in candidates:
        if (pid := owner(candidate)) is not None:
            yield Neighbour(candidate, pid)
