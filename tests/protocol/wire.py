"""HTTP/1 messages on a raw socket, and h11 as the judge of what a server was sent."""

import socket
from dataclasses import dataclass, field
from typing import Final, Self

import h11

Fields = list[tuple[bytes, bytes]]

WAIT: Final = 10.0
"""Seconds after which a test that waits for a peer fails."""


class Ended(Exception):  # noqa: N818 - the end of a connection is no error by itself
    """The peer closed (`clean`) or reset the connection; `rest` came before that and was not asked for."""

    def __init__(self, rest: bytes, *, clean: bool) -> None:
        super().__init__(f"{'closed' if clean else 'reset'} after {rest!r}")
        self.rest = rest
        self.clean = clean


@dataclass(frozen=True)
class Message:
    """A request or a response; field names in lower case."""

    start: bytes
    fields: Fields
    body: bytes = b""
    trailers: Fields = field(default_factory=list)

    @property
    def method(self) -> bytes:
        return self.start.split(b" ")[0]

    @property
    def target(self) -> bytes:
        return self.start.split(b" ")[1]

    @property
    def status(self) -> int:
        return int(self.start.split(b" ")[1])

    def all(self, name: bytes) -> list[bytes]:
        return [value for known, value in self.fields if known == name]

    def get(self, name: bytes) -> bytes | None:
        return next(iter(self.all(name)), None)


class Wire:
    """A socket whose every received byte is kept in `log`; reads messages strictly."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(WAIT)
        self.sock = sock
        self.log = bytearray()
        self._buffer = bytearray()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def shut(self) -> None:
        """Send no more: the peer sees the end of the stream."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Break the connection: the peer sees an error."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.sock.close()

    def fill(self) -> None:
        """Receive something."""
        try:
            data = self.sock.recv(65536)
        except ConnectionError:
            raise Ended(bytes(self._buffer), clean=False) from None
        if not data:
            raise Ended(bytes(self._buffer), clean=True)
        self.received(data)
        self._buffer += data

    def received(self, data: bytes) -> None:
        self.log += data

    def until(self, mark: bytes) -> bytes:
        """Everything up to and including `mark`."""
        while (at := self._buffer.find(mark)) < 0:
            self.fill()
        return self.exactly(at + len(mark))

    def exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self.fill()
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def to_the_end(self) -> bytes:
        """Everything until the peer closes; raises `Ended` if it resets."""
        try:
            while True:
                self.fill()
        except Ended as end:
            if not end.clean:
                raise
            self._buffer.clear()
            return end.rest

    def outcome(self) -> tuple[bytes, bool]:
        """Everything until the peer closes or resets, and whether it closed."""
        try:
            return self.to_the_end(), True
        except Ended as end:
            return end.rest, False

    def head(self) -> tuple[bytes, Fields]:
        start, _, block = self.until(b"\r\n\r\n")[:-4].partition(b"\r\n")
        return start, split_fields(block)

    def chunked(self) -> tuple[bytes, Fields]:
        """Content in chunks as this gateway writes them: no extension, lower case, no leading zero; and the trailer fields."""
        body = b""
        while True:
            line = self.until(b"\r\n")[:-2]
            assert line == b"%x" % int(line, 16)
            if line == b"0":
                break
            body += self.exactly(int(line, 16))
            assert self.exactly(2) == b"\r\n"
        block = b""
        while not block.endswith(b"\r\n") or (len(block) > 2 and not block.endswith(b"\r\n\r\n")):
            block += self.until(b"\r\n")
        return body, split_fields(block.removesuffix(b"\r\n").removesuffix(b"\r\n"))


class Client(Wire):
    """A client of a gateway."""

    def __init__(self, address: str) -> None:
        host, port = address.rsplit(":", 1)
        super().__init__(socket.create_connection((host, int(port)), WAIT))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def response(self, method: str = "GET") -> Message:
        """The next response, interim ones included. Raises `Ended` when it is cut short."""
        start, fields = self.head()
        message = Message(start, fields)
        if message.status < 200 or message.status in {204, 304} or method == "HEAD":
            return message
        if message.get(b"transfer-encoding") is not None:
            assert message.all(b"transfer-encoding") == [b"chunked"]
            assert message.get(b"content-length") is None
            return Message(start, fields, *self.chunked())
        if (length := message.get(b"content-length")) is not None:
            assert message.all(b"content-length") == [length]
            return Message(start, fields, self.exactly(int(length)))
        return Message(start, fields, self.to_the_end())

    def ask(self, request: bytes, method: str = "GET") -> Message:
        self.send(request)
        return self.response(method)

    def get(self, target: str = "/", *lines: str) -> Message:
        return self.ask(get(target, *lines))


def get(target: str = "/", *lines: str, method: str = "GET", body: bytes | None = None) -> bytes:
    """A well-formed request; `lines` are further field lines."""
    length = [] if body is None else [f"Content-Length: {len(body)}"]
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: good.example", *lines, *length, "", ""]).encode() + (body or b"")


def ok(body: bytes = b"", *lines: str, status: str = "200 OK") -> bytes:
    """A well-formed response."""
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines, "", ""]).encode() + body


def split_fields(block: bytes) -> Fields:
    fields = []
    for line in block.split(b"\r\n") if block else []:
        name, colon, value = line.partition(b":")
        assert colon, f"no field line: {line!r}"
        fields.append((name.lower(), value.strip(b" \t")))
    return fields


@dataclass
class Judgement:
    """What an independent parser makes of the bytes a server received: whole requests, and what was wrong with the rest."""

    requests: list[Message]
    partial: bool = False
    error: str | None = None


def judge(log: bytes) -> Judgement:
    """Read bytes as a strict server would."""
    server = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    server.receive_data(log)
    server.receive_data(b"")
    found = Judgement([])
    head: h11.Request | None = None
    body = b""
    while True:
        try:
            event = server.next_event()
        except h11.RemoteProtocolError as error:
            cut = "incomplete" in str(error) or "without sending complete" in str(error) or "closed connection" in str(error)
            found.partial, found.error = cut, None if cut else str(error)
            return found
        match event:
            case h11.Request():
                head, body = event, b""
            case h11.Data(data=data):
                body += data
            case h11.EndOfMessage(headers=trailers):
                assert head is not None
                start = head.method + b" " + head.target + b" HTTP/" + head.http_version
                found.requests.append(Message(start, list(head.headers), body, list(trailers)))
                server.send(h11.Response(status_code=204, headers=[]))
                server.send(h11.EndOfMessage())
                if server.our_state is h11.MUST_CLOSE:
                    found.partial = bool(server.trailing_data[0])
                    return found
                server.start_next_cycle()
            case _:
                return found
