"""What a pick is to the program: an endpoint for the length of a block, and what the block came to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from forebay import _engine
from forebay.errors import ForebayError, NoEndpoint
from forebay.types import Address


@dataclass(slots=True)
class Counts:
    """Of one identity, for as long as the pool has it."""

    picks: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """An endpoint as the pool has it now."""

    id: str
    address: Address
    weight: int
    counts: Counts = field(default_factory=Counts)


@dataclass(frozen=True, slots=True)
class Hold:
    """A place that is taken: on which endpoint, by which ticket, and of whom."""

    member: Member
    ticket: int
    native: _engine.Balancer


class Source(Protocol):
    """Where places come from: the balancer."""

    clock: Callable[[], float]

    def take(self, key: bytes | None, tried: Sequence[str]) -> Hold:
        """Take a place on an endpoint that was not tried. Raises NoEndpoint."""

    def count_failure(self, hold: Hold) -> None:
        """The endpoint has failed."""


class PickedEndpoint:
    """An endpoint that was picked, for the length of a `with` (or `async with`) block.

    The end of the block gives its place back and says what came of it:

    - The block ended by itself: the endpoint answered, and took until then.
    - It raised an `Exception`: the attempt failed.
    - It was cancelled (`asyncio.CancelledError`, `KeyboardInterrupt`): nothing is learned. So a time limit belongs inside the block.
    - After `answered` or `failed`, what they said stands, however the block ends.

    Used by one thread or task at a time. Its attributes raise ForebayError before the block.
    """

    __slots__ = ("_answered", "_balancer", "_hold", "_key", "_open", "_tried")

    def __init__(self, balancer: Source, key: bytes | None, tried: Sequence[str]) -> None:
        self._balancer = balancer
        self._key = key
        self._tried = tried
        self._hold: Hold | None = None
        self._open = False
        self._answered = False

    @property
    def id(self) -> str:
        """Its identity in the pool: as declared, or else its address."""
        return self._held.member.id

    @property
    def address(self) -> str:
        """`HOST:PORT`, `[V6]:PORT` or `unix:/path`. A host name is as it was declared: the caller's client resolves it."""
        return str(self._held.member.address)

    @property
    def host(self) -> str:
        """The host, IPv6 without brackets; empty for a Unix socket."""
        return self._held.member.address.host

    @property
    def port(self) -> int:
        """The port; 0 for a Unix socket."""
        return self._held.member.address.port

    @property
    def weight(self) -> int:
        """Its weight in the pool."""
        return self._held.member.weight

    def answered(self, *, ok: bool = True) -> None:
        """Say that the endpoint has answered: its latency is known now, and the block may go on for as long as a stream takes.

        `ok=False` is for an answer that tells of trouble, such as a 5xx: what fails fast must not look fast. Only the first call counts.
        """
        hold = self._held
        if self._open and not self._answered:
            self._answered = True
            hold.native.answered(hold.ticket, self._balancer.clock(), ok)

    def failed(self) -> None:
        """Say that the attempt failed and is over, without an exception; its place is given back now."""
        hold = self._held
        if self._open:
            self._open = False
            hold.native.failed(hold.ticket, self._balancer.clock())
            self._balancer.count_failure(hold)

    @property
    def _held(self) -> Hold:
        if self._hold is None:
            raise ForebayError("nothing has been picked yet", hint="enter it: `with balancer.pick() as endpoint:`")
        return self._hold

    def _begin(self) -> None:
        if self._hold is not None:
            raise ForebayError("this pick has had its block", hint="call pick() anew for each")
        self._hold = self._balancer.take(self._key, self._tried)
        self._open = True

    def _end(self, error: BaseException | None) -> bool:
        """Whether the error is the endpoint's."""
        blamed = isinstance(error, Exception) and self._open and not self._answered
        if blamed:
            self.failed()
        elif self._open:
            if error is None:
                self.answered()
            hold, self._open = self._held, False
            hold.native.done(hold.ticket, self._balancer.clock())
        return blamed


class Pick(PickedEndpoint):
    """What `Balancer.pick` gives: picks when its block begins."""

    __slots__ = ()

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end(error)


class Attempt(PickedEndpoint):
    """One of `Balancer.attempts`: as a pick, but an error of the endpoint stays inside the block while there is another to try.

    Attributes:
        error: what its block raised, or else what the block of the attempt before did.
        has_failed: whether it has, by an error or by a call of `failed`.
    """

    __slots__ = ("_is_last", "error", "has_failed")

    def __init__(self, balancer: Source, key: bytes | None, before: Sequence[Attempt], *, is_last: bool) -> None:
        super().__init__(balancer, key, [attempt.id for attempt in before])
        self._is_last = is_last
        self.error: BaseException | None = before[-1].error if before else None
        self.has_failed = False

    def failed(self) -> None:
        """Say that the attempt failed, without an exception; the next one is to follow."""
        self.has_failed = self.has_failed or self._open
        super().failed()

    def __enter__(self) -> Self:
        try:
            self._begin()
        except NoEndpoint:
            if self.error is None:
                raise
            # What went wrong on the endpoint before tells more than that there is no other.
            raise self.error from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        self.error = error
        return self._end(error) and not self._is_last

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        return self.__exit__(kind, error, trace)
