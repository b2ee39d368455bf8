"""A gateway in the foreground among its generations: what it takes over from the process before it, and who takes over from it."""

import os
import socket
import threading
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from forebay.control import systemd
from forebay.control.engine import VERSION
from forebay.control.handover import Offer, Predecessor, Successor, command, matched, start
from forebay.control.systemd import Numbers
from forebay.errors import ForebayError
from forebay.types import Address


class Succession:
    """Made when the process begins, it has what the process before it offers; `told` is called once another process has taken over. Without
    `told`, it is of a gateway inside a program, which has no generations.

    Raises:
        ForebayError: for an offer that makes no sense.
    """

    def __init__(self, told: Callable[[], None] | None = None, environ: MutableMapping[str, str] = os.environ) -> None:
        self.successor: Successor | None = None
        self._told = told
        self._environ = environ
        self._one = threading.Lock()
        self._predecessor = Predecessor.find(environ) if told is not None else None
        self._offer = self._predecessor.offer() if self._predecessor else None

    def directory(self, declared: str | None) -> Path | None:
        """The state directory of the process before, unless another one is declared."""
        return Path(self._offer.directory) if self._offer is not None and not declared else None

    def takes_over(self, directory: Path) -> bool:
        """Whether the control socket there is that of the process before."""
        return self._offer is not None and Path(self._offer.directory) == directory

    def sockets(self, listeners: Sequence[Mapping[str, Any]]) -> Numbers:
        """The descriptors for these listeners of a snapshot: from the process before, or from systemd.

        Raises:
            ListenError: for a socket of systemd that no listener wants.
        """
        if self._offer is not None:
            return matched(self._offer.sockets, listeners)
        return systemd.assigned(listeners, systemd.activated(self._environ)) if self._told is not None else {}

    def admin(self, declared: Address | None) -> socket.socket | None:
        """The socket of the admin address, where that is the same as before."""
        number = self._offer.admin if self._offer is not None else None
        if self._offer is None or number is None or declared is None:
            return None
        listener = socket.socket(fileno=os.dup(number))
        host, port, *_ = listener.getsockname()
        if (host, port) == (declared.host, declared.port):
            return listener
        listener.close()
        return None

    def serves(self) -> None:
        """This process serves now: what of the offer nobody wanted is closed, and the process before accepts no more."""
        if self._offer is not None:
            with self._offer:
                self._offer.sockets = {name: addresses for name, addresses in self._offer.sockets.items() if addresses}
        if self._predecessor is not None:
            self._predecessor.tell_ready(VERSION, self._environ)

    def upgrade(self, python: str | None, offer: Callable[[], Offer]) -> dict[str, Any]:
        """Start this program again, by the interpreter `python` where one is named, and have it take over; returns its process and version.

        Raises:
            ForebayError: and then this process goes on serving.
        """
        if self._told is None:
            hint = "start it with `forebay run` or `gateway.run()`"
            raise ForebayError("this gateway is part of a program, which alone can start itself again", hint=hint)
        with self._one:
            self._check()
            with offer() as everything:
                self.successor = start(command(python), everything)
        systemd.succeeded_by(self.successor.pid)
        self._told()
        return {"pid": self.successor.pid, "version": self.successor.version, "before": {"pid": os.getpid(), "version": VERSION}}

    def _check(self) -> None:
        if self.successor is not None:
            raise ForebayError(f"process {self.successor.pid} has taken over already", hint="ask that one")
        if self._predecessor is not None and self._predecessor.lives():
            hint = "wait until its requests have ended, at most its shutdown_grace"
            raise ForebayError("the process before this one still drains, and there are two generations at most", hint=hint)
        if os.getpid() == 1:
            hint = "start a new container instead, and drain this one"
            raise ForebayError("this gateway is process 1: when that ends, the system ends all others of its container", hint=hint)
