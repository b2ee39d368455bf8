"""What is repeated when, and why not: the engine's rule (engine/src/failover/repeat.rs) as a pure function, and its table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
"""Methods that may run twice without harm (RFC 9110, 9.2.2)."""


class Outcome(StrEnum):
    """How an attempt ended without an answer for the client."""

    UNSENT = "unsent"
    """No connection was had, or nothing was sent, or nothing of the body that the head announces: it provably did not run."""
    CUT_OFF = "cut_off"
    """The connection ended before the first byte of an answer."""
    STATUS = "status"
    """It was answered with one of `retry.statuses`."""
    TIMED_OUT = "timed_out"
    """No answer came within the route's `first_byte_timeout`, or the server took in nothing of the request for `send_timeout`."""
    BROKEN_OFF = "broken_off"
    """An answer had begun."""
    CLIENT_LEFT = "client_left"
    """Nobody waits for an answer any more."""


class NotRepeated(StrEnum):
    """Why a request is not repeated, as its record says."""

    NOT_IDEMPOTENT = "not_idempotent"
    BODY_TOO_LARGE = "body_too_large"
    RESPONSE_BEGUN = "response_begun"
    DEADLINE = "deadline"
    ATTEMPTS = "attempts"
    NO_ENDPOINT = "no_endpoint"
    BUDGET = "budget"
    CLIENT_LEFT = "client_left"
    """Not in a record, whose cause says it already."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request: its method, whether it has the field `Idempotency-Key`, whether its route goes by that (`idempotency_key = true`), and
    whether its whole body is still at hand.
    """

    method: str = "GET"
    key: bool = False
    trusted: bool = False
    kept: bool = True

    @property
    def repeatable(self) -> bool:
        """Whether it may run twice."""
        return self.method in IDEMPOTENT or (self.key and self.trusted)


@dataclass(frozen=True, slots=True)
class Means:
    """What is left for one more attempt: attempts, endpoints not tried yet, a token of the budget, time; and whether the client has
    received nothing yet.
    """

    attempts: bool = True
    endpoints: bool = True
    budget: bool = True
    time: bool = True
    untouched: bool = True


_LACKING: Final = (
    ("untouched", NotRepeated.RESPONSE_BEGUN),
    ("time", NotRepeated.DEADLINE),
    ("attempts", NotRepeated.ATTEMPTS),
    ("endpoints", NotRepeated.NO_ENDPOINT),
    ("budget", NotRepeated.BUDGET),
)
_NEVER: Final = {
    Outcome.CLIENT_LEFT: NotRepeated.CLIENT_LEFT,
    Outcome.TIMED_OUT: NotRepeated.DEADLINE,
}


def refused(outcome: Outcome, request: Request, means: Means) -> NotRepeated | None:
    """Why a request is not sent to another endpoint after an attempt that ended like this; None where it is."""
    if outcome in _NEVER:
        return _NEVER[outcome]
    if outcome is not Outcome.UNSENT:
        if not request.repeatable:
            return NotRepeated.NOT_IDEMPOTENT
        if outcome is Outcome.BROKEN_OFF:
            return NotRepeated.RESPONSE_BEGUN
        if not request.kept:
            return NotRepeated.BODY_TOO_LARGE
    return next((why for key, why in _LACKING if not getattr(means, key)), None)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: how an attempt ended, and what becomes of the request, by what it is."""

    outcome: Outcome
    idempotent: NotRepeated | None
    keyed: NotRepeated | None
    other: NotRepeated | None
    too_large: NotRepeated | None


def table() -> Iterator[Row]:
    """What is repeated with everything at hand: a GET, a POST whose key its route goes by, any other POST, and a PUT whose body was too
    large to keep.
    """
    kinds = (Request("GET"), Request("POST", key=True, trusted=True), Request("POST", key=True), Request("PUT", kept=False))
    for outcome in Outcome:
        yield Row(outcome, *(refused(outcome, request, Means()) for request in kinds))
