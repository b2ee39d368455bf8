"""What discovery knew last, kept in the state directory: a restart while a source is away serves what it said last.

Two lines of JSON: what it is, its version and the SHA-256 of the second line; then the sources. What cannot be used is left aside, with
one line in the log.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from forebay.control.keep import Kept
from forebay.errors import ForebayError

FILE: Final = "discovery.json"
_WHAT: Final = "forebay discovery"
_VERSION: Final = 1
_log = logging.getLogger("forebay.discovery")


@dataclass(frozen=True, slots=True)
class Known:
    """The items of one source, as plain data, and when they were last confirmed (wall clock, seconds)."""

    items: list[Any]
    at: float


class Memory:
    """That file. `wall` is the time of day in seconds."""

    def __init__(self, kept: Kept, wall: Callable[[], float] = time.time) -> None:
        self.wall = wall
        self._kept = kept
        self._failed = False

    def load(self) -> dict[str, Known]:
        """What is kept, by key; nothing where there is no file, or none that can be used."""
        return self._kept.read(FILE, _parse, {})

    def save(self, known: Mapping[str, Known]) -> None:
        """Keep this instead. Where that fails, the log says so once, and the old file stays."""
        body = json.dumps({key: {"items": each.items, "at": each.at} for key, each in known.items()}).encode()
        head = json.dumps({"what": _WHAT, "version": _VERSION, "sha256": hashlib.sha256(body).hexdigest()}).encode()
        try:
            self._kept.write(FILE, head + b"\n" + body + b"\n")
            self._failed = False
        except ForebayError as error:
            if not self._failed:
                _log.warning("what is known of endpoints is not kept, so that a restart begins without it: %s", error)
            self._failed = True


def _parse(content: bytes) -> dict[str, Known]:
    head, _, body = content.partition(b"\n")
    about = json.loads(head)
    if not isinstance(about, dict) or about.get("what") != _WHAT:
        raise ValueError("it is not what Forebay writes")
    if about.get("version") != _VERSION:
        raise ValueError(f"it is of version {about.get('version')!r}, and version {_VERSION} is read here")
    if about.get("sha256") != hashlib.sha256(body.rstrip(b"\n")).hexdigest():
        raise ValueError("it is cut short or damaged: its checksum differs")
    return {key: Known(list(each["items"]), float(each["at"])) for key, each in json.loads(body).items()}
