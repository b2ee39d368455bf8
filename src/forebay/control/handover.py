"""Handing a running gateway over to a new process: the listening sockets, and what was learned.

The old process starts the new one with one end of a Unix socket, whose number is in $FOREBAY_HANDOVER, and sends: eight bytes (the length,
big-endian), an `Offer` as JSON, and then the descriptors (SCM_RIGHTS) in parts of at most 250. The new one answers with one line of JSON,
`{"ready": PID, "version": V}` or `{"failed": WHY}`, and holds its end open: the old one's end closes when that ends.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from forebay.control.systemd import Numbers
from forebay.errors import ForebayError

ENV: Final = "FOREBAY_HANDOVER"
PATIENCE: Final = 30.0
"""Seconds within which a new process must be ready."""

_FORMAT: Final = 1
_PART: Final = 250  # descriptors in one message; the system allows 253
_LONGEST: Final = 1 << 28  # bytes of an offer
_HINT: Final = "correct that and upgrade again; the old process goes on serving"


@dataclass
class Offer:
    """What the old process has to give. The descriptors belong to whoever holds the offer; `admin` is the one of the admin address."""

    directory: str
    sockets: Numbers
    admin: int | None = None
    learned: Mapping[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the descriptors."""
        for number in self._numbers():
            with suppress(OSError):  # it was taken, and closed by whoever took it
                os.close(number)

    def _numbers(self) -> list[int]:
        listening = [number for addresses in self.sockets.values() for each in addresses.values() for number in each]
        return listening + ([self.admin] if self.admin is not None else [])

    def send(self, channel: socket.socket) -> None:
        """Send it whole."""
        numbers = self._numbers()
        places = [[name, declared, len(each)] for name, addresses in self.sockets.items() for declared, each in addresses.items()]
        value = {"format": _FORMAT, "directory": self.directory, "places": places, "admin": self.admin is not None, "learned": self.learned}
        content = json.dumps(value).encode()
        channel.sendall(len(content).to_bytes(8) + content)
        for start in range(0, len(numbers), _PART):
            part = numbers[start : start + _PART]
            socket.send_fds(channel, [bytes([len(part)])], part)

    @classmethod
    def receive(cls, channel: socket.socket) -> Self:
        """The offer that is sent on this socket.

        Raises:
            OSError, ValueError, KeyError, TypeError: for what is none, or of another format.
        """
        length = int.from_bytes(_exactly(channel, 8))
        if length > _LONGEST:
            message = f"an offer of {length} bytes"
            raise ValueError(message)
        value = json.loads(_exactly(channel, length))
        if value["format"] != _FORMAT:
            message = f"the old process offers format {value['format']}, and this version takes {_FORMAT}"
            raise ValueError(message)
        count = sum(each for _, _, each in value["places"]) + value["admin"]
        numbers: list[int] = []
        while len(numbers) < count:
            _, part, _, _ = socket.recv_fds(channel, 1, _PART)
            if not part:
                message = f"{len(numbers)} sockets came of {count}"
                raise ValueError(message)
            numbers += part
        for number in numbers:
            os.set_inheritable(number, False)  # noqa: FBT003 - its name says it
        sockets: Numbers = {}
        left = iter(numbers)
        for name, declared, many in value["places"]:
            sockets.setdefault(name, {})[declared] = [next(left) for _ in range(many)]
        return cls(value["directory"], sockets, next(left, None), value["learned"])


def matched(offered: Numbers, listeners: Sequence[Mapping[str, Any]]) -> Numbers:
    """Those of the sockets that the listeners of a snapshot want: of the same name and address, or else of the same address.

    They are taken out of what is offered. An address with port 0 is another one for every listener.
    """
    found: Numbers = {}
    for listener in listeners:
        for declared in listener["bind"]:
            names = [listener["name"], *([] if declared.endswith(":0") else list(offered))]
            numbers = next((offered[name].pop(declared) for name in names if declared in offered.get(name, {})), None)
            if numbers:
                found.setdefault(listener["name"], {})[declared] = numbers
    return found


@dataclass(frozen=True, slots=True)
class Successor:
    """The process that has taken over."""

    pid: int
    version: str
    process: "subprocess.Popen[bytes]"
    channel: socket.socket  # closes with this process, which is how the new one learns of its end


def command(python: str | None) -> list[str]:
    """What starts this very program again, by another interpreter where one is named."""
    if python is None:
        return [sys.executable, *sys.orig_argv[1:]]
    first, *others = sys.orig_argv[1:]
    # The script `forebay` belongs to one installation; the module is there in each.
    return [python, "-m", "forebay", *others] if Path(first).name == "forebay" else [python, first, *others]


def start(arguments: Sequence[str], offer: Offer, patience: float = PATIENCE) -> Successor:
    """Start a new process, offer it everything, and return once it serves.

    Raises:
        ForebayError: when it cannot be started, fails, or is not ready in time; it is gone then.
    """
    ours, theirs = socket.socketpair()
    ours.settimeout(patience)
    with theirs:
        environment = {**os.environ, ENV: str(theirs.fileno())}
        try:
            process = subprocess.Popen(arguments, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)  # noqa: S603 - our own
        except OSError as error:
            ours.close()
            raise ForebayError(f"{arguments[0]} cannot be started ({error.strerror})", hint=_HINT) from error
    try:
        offer.send(ours)
        answer = json.loads(ours.makefile("rb").readline() or b"{}")
        if "ready" in answer:
            return Successor(int(answer["ready"]), str(answer["version"]), process, ours)
        why = str(answer["failed"]) if "failed" in answer else _end(process)
    except TimeoutError:
        why = f"it was not ready within {patience:g} s"
    except (OSError, ValueError):
        why = _end(process)
    ours.close()
    _kill(process)
    raise ForebayError(f"the new process does not serve: {why}", hint=_HINT)


def _end(process: "subprocess.Popen[bytes]") -> str:
    try:
        code = process.wait(5)
    except subprocess.TimeoutExpired:
        return "it closed the handover and goes on without; is it another program?"
    return f"it ended with {code} before it was ready, and its error output says why"


def _kill(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Predecessor:
    """The old process, as the new one sees it."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    @classmethod
    def find(cls, environ: MutableMapping[str, str]) -> Self | None:
        """The process that has started this one to take over; None where none has. It is found once."""
        number = environ.get(ENV, "")
        if not number.isdigit():
            return None
        try:
            channel = socket.socket(fileno=int(number))
        except OSError:  # the number came down from elsewhere, and is nobody's here
            del environ[ENV]
            return None
        channel.set_inheritable(False)
        channel.settimeout(PATIENCE)
        return cls(channel)

    def offer(self) -> Offer:
        """What it gives.

        Raises:
            ForebayError: when it makes no sense.
        """
        try:
            return Offer.receive(self._channel)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ForebayError(f"the old process offers nothing that can be taken over: {error}", hint="stop it and start anew") from error

    def tell_ready(self, version: str, environ: MutableMapping[str, str]) -> None:
        """Say that this process serves: the old one accepts nothing from now on."""
        environ.pop(ENV, None)
        with suppress(OSError):  # the old one has given up meanwhile, and says so itself
            self._channel.sendall(json.dumps({"ready": os.getpid(), "version": version}).encode() + b"\n")

    def close(self) -> None:
        """Let go of it."""
        self._channel.close()

    def lives(self) -> bool:
        """Whether it still drains."""
        self._channel.setblocking(False)  # noqa: FBT003 - its name says it
        try:
            return self._channel.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False


def failed(why: str, environ: MutableMapping[str, str]) -> None:
    """Tell the process before, where there is one that waits, that this one ends and why."""
    number = environ.pop(ENV, "")
    if number.isdigit():
        with suppress(OSError):  # it has given up meanwhile
            os.write(int(number), json.dumps({"failed": why}).encode() + b"\n")


def _exactly(channel: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = channel.recv(min(length - len(parts), 1 << 16))
        if not part:
            message = "the handover ended in the middle"
            raise ValueError(message)
        parts += part
    return bytes(parts)
