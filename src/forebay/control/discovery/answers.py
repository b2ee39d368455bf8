"""What a source can answer."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """It has these, for `ttl` seconds by its own word; None where it gives none."""

    items: tuple[T, ...]
    ttl: float | None = None


@dataclass(frozen=True, slots=True)
class Nothing:
    """It answered, and says that there are none: NXDOMAIN, a name without addresses, an empty list."""

    why: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not answer, or not with anything to go by: a time-out, SERVFAIL, REFUSED, a file cut short."""

    why: str


Answer = Found[T] | Nothing | Failed
