"""What systemd is told (sd_notify) and what it hands over (socket activation). Without systemd, nothing happens here."""

import os
import socket
import time
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final

from forebay.errors import ListenError

_FIRST: Final = 3  # SD_LISTEN_FDS_START
Numbers = dict[str, dict[str, list[int]]]
"""File descriptors of listening sockets by listener and address as it is bound, as `_engine.Engine` takes them."""


def notify(*lines: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell the service manager; whether there is one, and it could be told."""
    path = environ.get("NOTIFY_SOCKET", "")
    if not path:
        return False
    address = f"\0{path[1:]}" if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto("\n".join(lines).encode(), address)
        except OSError:  # the manager has gone; the gateway serves on
            return False
    return True


def ready() -> None:
    """The gateway serves, for the first time or after a reload."""
    notify("READY=1")


def reloading() -> None:
    """A reload begins; `ready` ends it (Type=notify-reload)."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> None:
    """The gateway ends."""
    notify("STOPPING=1")


def succeeded_by(pid: int) -> None:
    """Another process is the service from now on; only the main process may say so."""
    notify(f"MAINPID={pid}", "READY=1")


def activated(environ: MutableMapping[str, str]) -> list[tuple[str, int]]:
    """The name and number of each socket that systemd has handed to this process; its variables are taken away, as the sockets are no
    child's.
    """
    count, pid, names = (environ.pop(key, "") for key in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"))
    if not count.isdigit() or pid != str(os.getpid()):
        return []
    numbers = range(_FIRST, _FIRST + int(count))
    for number in numbers:
        os.set_inheritable(number, False)  # noqa: FBT003 - its name says it
    known = [*names.split(":"), *[""] * int(count)]
    return list(zip(known, numbers, strict=False))


def assigned(listeners: Iterable[Mapping[str, Any]], sockets: Iterable[tuple[str, int]]) -> Numbers:
    """Which socket is which listener's: the one of its name, else the next one. `listeners` as in a snapshot: `name` and `bind`.

    Raises:
        ListenError: where there are more sockets than addresses.
    """
    left = list(sockets)
    places = [(listener["name"], declared) for listener in listeners for declared in listener["bind"]]
    names = {name for name, _ in places}
    found: Numbers = {}
    unnamed = []
    for name, declared in places:
        named = next((each for each in left if each[0] == name), None)
        if named is None:
            unnamed.append((name, declared))
        else:
            left.remove(named)
            found.setdefault(name, {})[declared] = [named[1]]
    for name, declared in unnamed:
        number = next((each for each in left if each[0] not in names), None)
        if number is not None:
            left.remove(number)
            found.setdefault(name, {})[declared] = [number[1]]
    if left:
        hint = "give each ListenStream= of the socket unit an address in the configuration, or FileDescriptorName= the name of a listener"
        raise ListenError("the sockets of systemd", f"it handed over {len(left)} more than there are addresses to listen on", hint=hint)
    return found
