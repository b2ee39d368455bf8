"""The last good configurations: those that a start, a reload or a rollback had served, so that one can go back to them."""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from forebay.config.schema import GatewayConfig
from forebay.config.secrets import restored, revealed
from forebay.control.keep import Kept
from forebay.errors import ConfigError, ForebayError

MOST: Final = 10
"""Configurations that are kept."""

FORMAT: Final = 1
_PREFIX: Final = "configuration-"
_CURRENT: Final = "configuration.json"
C = TypeVar("C", bound=GatewayConfig)
_log = logging.getLogger("forebay.control")


@dataclass(frozen=True, slots=True)
class Entry:
    """One of them. `number` grows by one with each; `at` is when it first served, in seconds of the wall clock; `origin` says what brought
    it, such as `reload of gateway.toml`; `before` is the number of the one that served until then.
    """

    number: int
    at: float
    origin: str
    before: int | None
    value: Mapping[str, Any]
    references: tuple[tuple[str, ...], ...]

    def config(self, environment: Mapping[str, str], cls: type[C]) -> C:
        """The configuration as a `cls`, its secrets from the environment where it declares them so.

        Raises:
            ConfigError: for a variable that is not there, and for what this version does not take.
        """
        copy: dict[str, Any] = json.loads(json.dumps(self.value))
        return restored(copy, [list(path) for path in self.references], environment, cls)

    def json(self, current: int | None) -> dict[str, Any]:
        """As the admin API tells it: without the configuration itself, which holds secrets."""
        size = {"routes": len(self.value.get("routes", ())), "pools": len(self.value.get("pools", ()))}
        return {
            "number": self.number,
            "at": self.at,
            "origin": self.origin,
            "before": self.before,
            "current": self.number == current,
            **size,
        }


class History:
    """They lie in the state directory, one file each, for this user alone (0600): a secret that was not declared as `${NAME}` is in them.

    With None for the directory, which is what a gateway inside an application has, they are gone when it ends. Every method may be called
    from any thread. What cannot be written is said in the log, and kept until the end of the process.
    """

    def __init__(self, directory: Path | None, wall: Callable[[], float]) -> None:
        self._directory = directory
        self._wall = wall
        self._kept = Kept(directory)
        self._lock = threading.Lock()
        self._entries = {entry.number: entry for entry in self._read()}
        current: int | None = self._kept.read(_CURRENT, lambda text: int(json.loads(text)["current"]), None)
        self.current = current if current in self._entries else max(self._entries, default=None)

    def served(self, config: GatewayConfig, origin: str) -> int | None:
        """Note that this configuration serves now; the same as the last one is not noted again. Returns its number.

        None for one that cannot be kept, which the log says too: it has a callable that only this process knows.
        """
        try:
            value, references = revealed(config)
        except ConfigError as error:
            # No fault: a program with functions of its own is not rolled back by name.
            _log.info("this configuration is not kept, so that no rollback comes back to it: %s", error)
            return None
        with self._lock:
            last = self._entries.get(self.current or 0)
            if last is not None and last.value == value:
                return last.number
            number = max(self._entries, default=0) + 1
            entry = Entry(number, self._wall(), origin, self.current, value, tuple(tuple(path) for path in references))
            self._entries[number] = entry
            self._write(f"{_PREFIX}{number}.json", _document(entry))
            self._point(number)
            self._prune()
            return number

    def back_at(self, number: int) -> None:
        """Note that an earlier one serves again."""
        with self._lock:
            self._point(number)

    def entries(self) -> list[Entry]:
        """All of them, the oldest first."""
        with self._lock:
            return [self._entries[number] for number in sorted(self._entries)]

    def find(self, number: int | None) -> Entry:
        """The one of that number; with None the one that served before the present one.

        Raises:
            ForebayError: where there is none.
        """
        with self._lock:
            if number is None:
                now = self._entries.get(self.current or 0)
                number = now.before if now is not None else None
            if number is not None and number in self._entries:
                return self._entries[number]
            kept = ", ".join(map(str, sorted(self._entries))) or "none"
        if number is None:
            raise ForebayError("no configuration served before this one", hint="`forebay rollback --list` shows those that are kept")
        raise ForebayError(f"configuration {number} is not kept", hint=f"the last {MOST} good ones are: {kept}")

    def last_good(self) -> Entry | None:
        """The one that served last."""
        return self._entries.get(self.current or 0)

    def _read(self) -> list[Entry]:
        if self._directory is None:
            return []
        numbers = [path.stem.removeprefix(_PREFIX) for path in self._directory.glob(f"{_PREFIX}*.json")]
        found: list[list[Entry]] = [self._kept.read(f"{_PREFIX}{number}.json", _parsed, []) for number in numbers if number.isdigit()]
        return [entry for entries in found for entry in entries]

    def _point(self, number: int) -> None:
        self.current = number
        self._write(_CURRENT, json.dumps({"current": number}).encode())

    def _write(self, name: str, content: bytes) -> None:
        try:
            self._kept.write(name, content)
        except ForebayError as error:
            _log.warning("%s; a later start will not know this configuration", error)

    def _prune(self) -> None:
        # The present one and the one before it stay, however old: a rollback may have gone far back.
        now = self._entries.get(self.current or 0)
        stay = {self.current, now.before if now is not None else None}
        for number in [each for each in sorted(self._entries) if each not in stay][: max(0, len(self._entries) - MOST)]:
            del self._entries[number]
            if self._directory is not None:
                (self._directory / f"{_PREFIX}{number}.json").unlink(missing_ok=True)


def _document(entry: Entry) -> bytes:
    fields = {"number": entry.number, "at": entry.at, "origin": entry.origin, "before": entry.before}
    return json.dumps({"format": FORMAT, **fields, "references": entry.references, "config": entry.value}, indent=1).encode()


def _parsed(text: bytes) -> list[Entry]:
    value = json.loads(text)
    if value["format"] != FORMAT:
        message = f"it has format {value['format']}, and this version reads {FORMAT}"
        raise ValueError(message)
    references = tuple(tuple(map(str, path)) for path in value["references"])
    before = value["before"]
    config = value["config"]
    if not isinstance(config, dict) or not isinstance(before, int | None):
        message = "it is no configuration"
        raise TypeError(message)
    return [Entry(int(value["number"]), float(value["at"]), str(value["origin"]), before, config, references)]
