"""A server that does as it is told and keeps every byte it receives: the judge of what a gateway passed on."""

import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from .wire import WAIT, Ended, Fields, Judgement, Message, Wire, judge, ok


class Conversation(Wire):
    """One connection that the gateway opened."""

    def __init__(self, backend: "Backend", sock: socket.socket, number: int) -> None:
        super().__init__(sock)
        self.backend = backend
        self.number = number
        self.over = False
        self.clean = False

    def received(self, data: bytes) -> None:
        with self.backend.changed:
            super().received(data)
            self.backend.changed.notify_all()

    def request_head(self) -> Message:
        start, fields = self.head()
        return Message(start, fields)

    def request(self) -> Message:
        """The next request with its content."""
        start, fields = self.head()
        message = Message(start, fields)
        body: bytes = b""
        trailers: Fields = []
        if message.get(b"transfer-encoding") is not None:
            body, trailers = self.chunked()
        elif (length := message.get(b"content-length")) is not None:
            body = self.exactly(int(length))
        return Message(start, fields, body, trailers)

    def drain(self) -> None:
        """Take in what comes until the gateway closes."""
        self.clean = self.outcome()[1]


Script = Callable[[Conversation], None]


def echo(conversation: Conversation) -> None:
    """Answer every request with its method, target and content."""
    while True:
        request = conversation.request()
        conversation.send(ok(request.method + b" " + request.target + b"\n" + request.body))


def answers(*raw: bytes, close: bool = False) -> Script:
    """Answer the first requests of each connection with these bytes, whatever was asked; then close, or read on."""

    def script(conversation: Conversation) -> None:
        for answer in raw:
            conversation.request()
            conversation.send(answer)
        if not close:
            conversation.drain()

    return script


class Backend:
    """Listens on a port of its own, or a Unix socket; each connection runs the script in a thread until it ends, then is closed.

    An exception of a script fails the test when the backend is left.
    """

    def __init__(self, script: Script = echo, *, unix: bool = False) -> None:
        self.script = script
        self.changed = threading.Condition()
        self.conversations: list[Conversation] = []
        self.released = False
        self._errors: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._directory = tempfile.TemporaryDirectory(prefix="fb") if unix else None
        self._listener = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        self._listener.bind(str(Path(self._directory.name) / "s") if self._directory else ("127.0.0.1", 0))
        self._listener.listen(1024)
        name = self._listener.getsockname()
        self.address = f"unix:{name}" if unix else f"{name[0]}:{name[1]}"
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.refuse()
        for conversation in self.conversations:
            with suppress(OSError):
                conversation.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(WAIT)
        if self._directory:
            self._directory.cleanup()
        if kind is None and self._errors:
            raise self._errors[0]

    def refuse(self) -> None:
        """Listen no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(WAIT)

    def wait(self, condition: Callable[["Backend"], object]) -> None:
        """Until what was received satisfies a condition."""
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), WAIT), f"the server got only {self.logs!r}"

    def wait_over(self) -> None:
        """Until the gateway has closed every connection."""
        self.wait(lambda backend: backend.conversations and all(each.over for each in backend.conversations))

    @property
    def logs(self) -> list[bytes]:
        """The bytes of each connection, in the order they were opened."""
        return [bytes(each.log) for each in self.conversations]

    @property
    def log(self) -> bytes:
        return b"".join(self.logs)

    @property
    def judged(self) -> list[Judgement]:
        return [judge(log) for log in self.logs]

    @property
    def requests(self) -> list[Message]:
        """Every whole request received, by an independent parser; nothing it could not read may be between them."""
        judged = self.judged
        assert [each.error for each in judged if each.error] == [], self.logs
        return [request for each in judged for request in each.requests]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self.changed:
                conversation = Conversation(self, sock, len(self.conversations))
                self.conversations.append(conversation)
                thread = threading.Thread(target=self._converse, args=(conversation,), daemon=True)
                self._threads.append(thread)
                self.changed.notify_all()
            thread.start()

    def _converse(self, conversation: Conversation) -> None:
        try:
            self.script(conversation)
        except Ended as end:
            conversation.clean = end.clean
        except OSError as error:
            # The gateway closed while the script was sending.
            conversation.clean = not isinstance(error, ConnectionError | TimeoutError)
        except BaseException as error:  # noqa: BLE001 - it fails the test, in the test's own thread
            self._errors.append(error)
        with suppress(OSError):
            conversation.close()
        with self.changed:
            conversation.over = True
            self.changed.notify_all()
