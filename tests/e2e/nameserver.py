"""A name server on a loopback port, with a script."""

import socket
import threading
from typing import Any, Self

from forebay.types import Address

WORDS = {"SERVFAIL": 2, "NXDOMAIN": 3, "REFUSED": 5}


class NameServer:
    """Answers by `records`: for a name and type, record texts, or one of WORDS, `silence`, `garbage`, or `other` (to another question).

    A name of which nothing is scripted does not exist. `asked` has each question as it came; `ttl` goes with every answer.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str] | str] = {}
        self.ttl = 1
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.sendto(b"", self._socket.getsockname())  # an empty datagram ends it
        self._thread.join()
        self._socket.close()

    @property
    def endpoint(self) -> Address:
        """Its address, as a manner of looking up has it."""
        return Address.parse(self.address)

    def _run(self) -> None:
        while True:
            wire, peer = self._socket.recvfrom(4096)
            if not wire:
                return
            for answer in self._answers(wire):
                self._socket.sendto(answer, peer)

    def _answers(self, wire: bytes) -> list[bytes]:
        import dns.message

        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text().rstrip("."), question.rdtype.name
        self.asked.append((name, kind))
        known = self.records.get((name, kind))
        if known is None:
            known = [] if any(each == name for each, _ in self.records) else "NXDOMAIN"
        if known == "silence":
            return []
        if known == "garbage":
            return [b"\x00", wire[:2] + b"\xff" * 40]
        response: Any = dns.message.make_response(query)
        if known == "other":
            response.id = (response.id + 1) % 65536
            known = ["192.0.2.66"]
        if isinstance(known, str):
            response.set_rcode(WORDS[known])
        elif known:
            response.answer.append(dns.rrset.from_text(question.name, self.ttl, "IN", kind, *known))
        return [response.to_wire()]
