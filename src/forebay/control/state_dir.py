"""Where a running gateway keeps its state, and how a command finds it there."""

import os
import socket
import stat
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from forebay.errors import ListenError

SOCKET = "control.sock"
SECRET = "affinity.secret"  # noqa: S105 - the name of the file that holds it
KEPT = ("overlays.json", "discovery.json", "learned.json")
"""Files that outlive a gateway which has a name; see `forebay.control.keep`."""
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


@dataclass(frozen=True)
class Neighbour:
    """A gateway that runs on this machine: its control socket and its process."""

    socket: Path
    pid: int


def bases(environ: Mapping[str, str]) -> list[Path]:
    """The directories that may hold one directory for each gateway of this user: the usual one, and what stands in for it.

    A home that is missing or read-only is common in containers, and must not keep an application from starting; then it is a
    directory of this user's own among the temporary files. Where $XDG_STATE_HOME says another one, that alone counts.
    """
    state = environ.get("XDG_STATE_HOME", "")
    if state.startswith("/"):  # relative ones are to be ignored, says the XDG base directory specification
        return [Path(state) / "forebay"]
    spare = Path(tempfile.gettempdir()) / f"forebay-{os.getuid()}"
    try:
        return [Path.home() / ".local/state/forebay", spare]
    except RuntimeError:  # no $HOME, and a user that no table lists
        return [spare]


def claim(declared: str | None, name: str | None, environ: Mapping[str, str]) -> Path:
    """Make the state directory of a gateway: as declared, else $STATE_DIRECTORY (systemd), else under one of `bases`.

    `name` is what it is called there; None, for a gateway inside an application, gives it `pid-12`, or `pid-12.2` for the second
    one at a time.

    Raises:
        ListenError: where that is impossible, or others may write to the one that is there.
    """
    if declared:
        return prepare(Path(declared).expanduser().absolute())
    if given := environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return prepare(Path(given))
    sweep(environ)
    refusals = []
    for base in bases(environ):
        try:
            prepare(base)
            return prepare(base / name) if name is not None else _first_free(base / f"pid-{os.getpid()}")
        except ListenError as error:
            refusals.append(error)
    raise refusals[0]


def places(declared: str | None, name: str, environ: Mapping[str, str]) -> list[Path]:
    """Where `claim` would put, or has put, the directory of a gateway with a name."""
    if declared:
        return [Path(declared).expanduser().absolute()]
    if given := environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return [Path(given)]
    return [base / name for base in bases(environ)]


def _first_free(directory: Path) -> Path:
    for number in count(1):
        candidate = directory if number == 1 else directory.with_name(f"{directory.name}.{number}")
        try:
            candidate.mkdir(mode=0o700)
        except FileExistsError:
            continue
        except OSError as error:
            raise _impossible(directory, error) from error
        return candidate
    raise AssertionError("count() does not end")


def prepare(directory: Path) -> Path:
    """Make the directory, for this user alone (0700), and return it.

    Raises:
        ListenError: where that is impossible, or the one that is there belongs to somebody else or may be written to by others.
    """
    try:
        missing = not directory.exists()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if missing:
            directory.chmod(0o700)  # whatever the umask took away
        found = directory.stat()
    except OSError as error:
        raise _impossible(directory, error) from error
    if found.st_uid not in {os.getuid(), 0} or found.st_mode & _WRITABLE_BY_OTHERS:
        owner_and_mode = f"owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}"
        reason = f"others may write to its directory ({owner_and_mode}), and so put their own socket there"
        raise ListenError(f"unix:{directory / SOCKET}", reason, hint=f"run `chmod go-w {directory}`, or choose another state_dir")
    return directory


def _impossible(directory: Path, error: OSError) -> ListenError:
    reason = f"its directory cannot be made ({error.strerror}: {error.filename})"
    return ListenError(f"unix:{directory / SOCKET}", reason, hint=_CHOOSE)


_CHOOSE = "set `state_dir` in [gateway], or $STATE_DIRECTORY, to a directory that this user may write to"


def discard(directory: Path, environ: Mapping[str, str]) -> None:
    """Take an ended gateway's socket away, and its directory where that is one of ours and nothing else is in it."""
    with suppress(OSError):  # somebody else tidied up first, or keeps something there
        (directory / SOCKET).unlink(missing_ok=True)
        if directory.parent in bases(environ):
            if directory.name.startswith("pid-"):  # nobody comes back to it
                for name in (SECRET, *KEPT):
                    (directory / name).unlink(missing_ok=True)
            directory.rmdir()


def sweep(environ: Mapping[str, str]) -> None:
    """Discard what embedded gateways of processes that were killed have left behind."""
    for directory in (each for base in bases(environ) for each in base.glob("pid-*")):
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
    candidates = {candidate for base in bases(environ) for candidate in base.glob(f"*/{SOCKET}")}
    candidates |= {Path(given) / SOCKET for given in environ.get("STATE_DIRECTORY", "").split(":") if given}
    for candidate in candidates:
        if (pid := owner(candidate)) is not None:
            yield Neighbour(candidate, pid)
