"""Hostnames become addresses, beside everything else: no start and no request ever waits for a name server."""

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf

Lookup = Callable[[str, int], list[str]]
"""Takes a host and a port, returns its `ip:port` list; raises OSError. May block for long: it runs on a worker."""

Submit = Callable[[Callable[[], None]], None]
"""Runs a function on a worker, some time."""

FIRST_RETRY = 0.5
LONGEST_RETRY = 30.0
REFRESH = 30.0
LINGER = 1.0

_FIRST = "the first look-up is still running"


def lookup(host: str, port: int) -> list[str]:
    """Ask the system's resolver, which may block for half a minute.

    A name with both IPv4 and IPv6 addresses counts by its IPv4 ones: both kinds usually lead to the same servers, and counting
    both would make two endpoints of each (`localhost`, say). Sorted, so that a name server's rotation changes nothing.

    Raises:
        OSError: when the name has no address or nobody answers.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except socket.gaierror:
        # AI_ADDRCONFIG leaves out families that this machine has no route for, on some machines even loopback.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    v4 = {f"{address[0]}:{port}" for family, _, _, _, address in found if family == socket.AF_INET}
    v6 = {f"[{address[0]}]:{port}" for family, _, _, _, address in found if family == socket.AF_INET6}
    return sorted(v4 or v6)


@dataclass
class _Name:
    """What is known of one `HOST:PORT`."""

    addresses: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    leave_at: float = inf
    due: float = -inf
    retry: float = FIRST_RETRY
    asking: bool = False
    error: str | None = _FIRST
    answer: list[str] | OSError | None = field(default=None, repr=False)


class Resolver:
    """The addresses of every name that the configuration mentions.

    Only `turn` changes them, on control's thread; look-ups run on workers that leave their answer behind and call `wake`.
    A failed look-up keeps the last good addresses and is repeated after 0.5 s, then twice as long, up to 30 s; a good one is
    repeated every 30 s. An address that is new joins at once, one that is gone leaves a second later.
    """

    def __init__(self, submit: Submit, wake: Callable[[], None], ask: Lookup = lookup) -> None:
        self._submit = submit
        self._wake = wake
        self._ask = ask
        self._names: dict[str, _Name] = {}

    def want(self, names: Iterable[str]) -> None:
        """Replace the set of names to look after; those that stay keep their addresses."""
        self._names = {name: self._names.get(name) or _Name() for name in sorted(names)}

    def resolved(self) -> dict[str, tuple[str, ...]]:
        """The addresses in force of each name, those on their way out included; empty while unknown."""
        return {name: tuple(dict.fromkeys(entry.addresses + entry.leaving)) for name, entry in self._names.items()}

    def errors(self) -> dict[str, str]:
        """For each name whose last look-up failed, or is the first: why."""
        return {name: entry.error for name, entry in self._names.items() if entry.error is not None}

    def pending(self) -> set[str]:
        """The names whose first look-up has neither succeeded nor failed yet."""
        return {name for name, entry in self._names.items() if entry.error == _FIRST}

    def turn(self, now: float) -> float:
        """Take in finished look-ups, send out due ones; returns the time of the next one due, or infinity."""
        for name, entry in self._names.items():
            self._take(entry, now)
            if now >= entry.leave_at:
                entry.leaving, entry.leave_at = (), inf
            if now >= entry.due and not entry.asking:
                entry.asking = True
                self._submit(lambda name=name, entry=entry: self._run(name, entry))  # type: ignore[misc]  # bound here
        return min((min(entry.leave_at, inf if entry.asking else entry.due) for entry in self._names.values()), default=inf)

    def _run(self, name: str, entry: _Name) -> None:
        host, _, port = name.rpartition(":")
        try:
            entry.answer = self._ask(host.strip("[]"), int(port)) or OSError("the name has no address")
        except OSError as error:
            entry.answer = error
        except UnicodeError as error:  # from the IDNA codec, about a name that no name server could hold
            entry.answer = OSError(str(error))
        self._wake()

    def _take(self, entry: _Name, now: float) -> None:
        answer = entry.answer
        if answer is None:
            return
        entry.answer, entry.asking = None, False
        if isinstance(answer, OSError):
            entry.error = answer.strerror or str(answer)
            entry.due = now + entry.retry
            entry.retry = min(2 * entry.retry, LONGEST_RETRY)
            return
        gone = tuple(address for address in entry.addresses if address not in answer)
        if gone:
            entry.leaving, entry.leave_at = gone, now + LINGER
        entry.addresses, entry.error = tuple(answer), None
        entry.due, entry.retry = now + REFRESH, FIRST_RETRY
