"""The sockets that the admin API listens on."""

import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from forebay.control.engine import listen_error
from forebay.control.state_dir import SOCKET, owner
from forebay.control.succession import Succession
from forebay.errors import ListenError
from forebay.types import Address

_LONGEST = 107  # bytes of sun_path, the closing NUL not counted
_BACKLOG = 16


@contextmanager
def doors(directory: Path, admin: Address | None, before: Succession, discard: Callable[[], None]) -> Iterator[list[socket.socket]]:
    """The sockets that the admin API listens on, the control socket first; closed when the block ends, and then `discard` is called.

    From the process before, where there is one, the socket of the admin address is taken over; its control socket stays in its place until
    `take_place`.

    Raises:
        ListenError: when one cannot be had.
    """
    with ExitStack() as opened:
        control = control_socket(directory, beside=before.takes_over(directory))
        opened.callback(discard)
        sockets = [opened.enter_context(control)]
        if admin is not None:
            known = before.admin(admin)
            sockets.append(opened.enter_context(known or admin_socket(admin)))
        yield sockets


def control_socket(directory: Path, *, beside: bool = False) -> socket.socket:
    """Listen on `control.sock` in a state directory, for this user alone from the first moment.

    A socket that a dead process left is replaced. With `beside` it listens next to that of a living process, until `take_place`.

    Raises:
        ListenError: when another process listens there, or the path is longer than a socket's may be.
    """
    path = directory / SOCKET
    if len(os.fsencode(path)) > _LONGEST:
        reason = f"the path has {len(os.fsencode(path))} bytes, and the system allows a socket {_LONGEST}"
        raise ListenError(f"unix:{path}", reason, hint="set `state_dir` in [gateway], or $STATE_DIRECTORY, to a shorter path")
    with _alone_in(directory):
        if beside:
            return _listening(_beside(directory))
        if (pid := owner(path)) is not None:
            who = "this process" if pid == os.getpid() else f"pid {pid}"
            reason = f"another gateway ({who}) already listens there"
            raise ListenError(f"unix:{path}", reason, hint="stop that one, or give this one a `state_dir` of its own")
        return _listening(path)


def take_place(directory: Path) -> None:
    """Have the socket that listens beside the old one be found in its place from now on, without a moment between."""
    _beside(directory).replace(directory / SOCKET)


def _beside(directory: Path) -> Path:
    return directory / "next.sock"  # no longer than the name that it will have


def _listening(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)  # nobody can connect before the call to listen
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ListenError(f"unix:{path}", error.strerror or str(error), hint="check the directory") from error
    return listener


def admin_socket(address: Address) -> socket.socket:
    """Listen on the `[gateway] admin` address.

    Raises:
        ListenError: when it cannot be had.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise listen_error(OSError(error.errno or errno.EINVAL, error.strerror, str(address))) from error
    return listener


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    # Two gateways that start at once must not both find the old socket dead and take each other's place.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
