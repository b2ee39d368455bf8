"""Every error that Forebay raises on purpose.

    ForebayError
    ├── ConfigError     what was declared makes no sense; carries every fault at once
    ├── ListenError     an address could not be listened on
    ├── ControlError    a running gateway could not be reached
    ├── ForkError       a running gateway was used in a forked child
    └── NoEndpoint      a balancer has no endpoint to pick

Each says what happened and why in its message, and what to do about it in `hint`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


class ForebayError(Exception):
    """The base of all errors of this package; `hint` is what to do about it, where that is known."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, or probably wrong, with what was declared.

    `key` is the path of the key at fault (`pools.app.endpoints[1].weight`), empty for the whole; `file` and `line` (from 1) say
    where it stands, where it came from a file. `str()` gives the one line that users see.
    """

    message: str
    key: str = ""
    file: str | None = None
    line: int | None = None
    hint: str | None = None
    severity: Severity = "error"

    @property
    def place(self) -> str | None:
        """`gateway.toml:12`, or the file alone where the line is not known; None for what did not come from a file."""
        if self.file is None:
            return None
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def __str__(self) -> str:
        text = f"{self.message}; {self.hint}" if self.hint else self.message
        return ": ".join(part for part in (self.place, self.key, text) if part)


class ConfigError(ForebayError):
    """What was declared cannot be served; `faults` holds every fault found, in the order of their lines."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class ListenError(ForebayError):
    """`address` could not be listened on, for `reason` (the system's own words)."""

    def __init__(self, address: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"cannot listen on {address}: {reason}", hint=hint)
        self.address = address
        self.reason = reason


class ControlError(ForebayError):
    """The gateway that a command was meant for cannot be reached."""


class ForkError(ForebayError):
    """A running gateway was used in a forked child, where its threads do not exist."""


class NoEndpoint(ForebayError):  # noqa: N818 - it names what there is not
    """A `Balancer` has no endpoint to pick; the message says why: all have been tried, or are at their cap."""
