"""The tables of a pool that say what happens when an endpoint fails: whom it takes out, who takes over, what is repeated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from forebay.config.fields import Duration, Grace, Many, Parsed, Size, Truth, number
from forebay.config.quantities import AttemptTimeout, Quorum, Ratio, Share
from forebay.config.routes import Respond
from forebay.config.table import Table
from forebay.config.words import Found, one_of
from forebay.failover.rules import MinHealthy
from forebay.types import Malformed, describe, suggest

KIB: Final = 1024
WORDS: Final = ("try_all", "fail_fast", "last_healthy")
_POOL: Final = "pool:"


class Ejection(Table):
    """How an endpoint is left out by its live answers: by failures in a row, and by a rate that its peers do not have."""

    example: ClassVar[str] = "write ejection = { consecutive = 3 }"

    consecutive: Annotated[int, number(1, 1000)] = Field(
        3, description="Failures in a row after which it is passed over at once: 5xx answers, broken and refused connections."
    )
    min_requests: Annotated[int, number(1)] = Field(
        10, description="Answers of an endpoint, within the window looked at, below which its rate of errors and its latency prove nothing."
    )
    base: Duration = Field(10.0, description="How long the first ejection lasts; each further one lasts twice as long as the one before.")
    max: Duration = Field(300.0, description="The longest that one lasts.")
    max_ejected: Share = Field(
        0.5, description="Share of a tier that may be left out by its answers at once; never the last one. 0 leaves nobody out."
    )


class Retry(Table):
    """How requests are repeated that provably did not run, or that may run twice."""

    example: ClassVar[str] = "write retry = { attempts = 3 }"

    attempts: Annotated[int, number(1, 100)] = Field(
        3, description="Attempts in all, the first included, each on another endpoint; 1 repeats nothing."
    )
    budget: Ratio = Field(
        0.2,
        description=(
            "Repetitions that each request adds to the pool's budget, beside 3 a second; it holds 100, or as many as there are requests in "
            "flight. Once it is spent, nothing is repeated."
        ),
    )
    statuses: Many[Annotated[int, number(400, 599)]] = Field(
        (502, 503, 504), description="Answers that are repeated elsewhere, where the request may run twice."
    )
    replay_buffer: Size = Field(
        64 * KIB, description="Bytes of a request's body kept for repeating it; a longer one is not repeated once it went out."
    )
    attempt_timeout: AttemptTimeout = Field(
        "learned",
        description=(
            "How long an attempt may wait for its answer until a second is begun beside it, where the request may run twice; the first "
            "answer wins. `learned` takes what nearly all of the route's answers need. No attempt is ended by it."
        ),
    )


class Hedge(Table):
    """A second attempt beside the first once that takes longer than 95 % of the pool's answers, for requests that may run twice."""

    example: ClassVar[str] = "write hedge = { enabled = true }"

    enabled: Truth = Field(default=False, description="Whether it is done.")
    budget: Ratio = Field(0.02, description="Second attempts as a share of all requests.")


class SlowStart(Table):
    """How a new or recovered endpoint takes up its share. A plain duration in its place is its `window`."""

    short: ClassVar[str] = "window"
    example: ClassVar[str] = 'write slow_start = "30s"'

    window: Grace = Field(
        0.0,
        description=(
            "Over how long its share grows from a tenth to the whole, in every policy. 0 is at once, and so it is while nobody else serves."
        ),
    )


class Failover(Table):
    """When the endpoints of the next `tier` take over, and when those of a higher one take back."""

    example: ClassVar[str] = 'write failover = { failback = "manual" }'

    min_healthy: Quorum = Field(
        MinHealthy(count=1),
        validate_default=True,
        description="Endpoints of a tier, as a number or as a share of them, below which the next tier takes over.",
    )
    failback: Literal["automatic", "manual"] = Field(
        "automatic", description="Whether a tier takes back by itself once it may serve again, or when `forebay failback POOL` says so."
    )
    hold_down: Grace = Field(10.0, description="For how long it must have been able to serve before; each relapse begins it anew.")


def _all_down(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed(f"must be a string, not {describe(value)}", f'write {one_of(WORDS)}, or "pool:NAME"')
    if value.startswith(_POOL) and value != _POOL:
        return value
    if value not in WORDS:
        raise Malformed(f'must be {one_of([*WORDS, "pool:NAME"])}, not "{value}"', suggest(value, WORDS))
    return value


class WhenAllDown(Table):
    """What a pool does while none of its endpoints may serve. A plain word in its place is its `policy`."""

    short: ClassVar[str] = "policy"
    example: ClassVar[str] = 'write when_all_down = "try_all"'

    policy: Annotated[str, Parsed('`"try_all"`, `"fail_fast"`, `"last_healthy"` or `"pool:NAME"`', _all_down)] | None = Field(
        None,
        description=(
            "`try_all` sends to all that have an address, `last_healthy` to those that were healthy last, `fail_fast` answers 503 at once, "
            "`pool:NAME` sends to another pool."
        ),
    )
    respond: Respond | None = Field(None, description="In place of a policy: an answer that the gateway gives by itself.")

    @property
    def pool(self) -> str | None:
        """The pool that takes the requests, where it is that."""
        return self.policy.removeprefix(_POOL) if self.policy is not None and self.policy.startswith(_POOL) else None

    @classmethod
    def _faults(cls, written: Mapping[str, Any]) -> Iterable[Found]:
        given = [key for key in ("policy", "respond") if written.get(key) is not None]
        if not given:
            yield (), "says nothing to do", cls.example
        elif len(given) > 1:
            yield ("respond",), 'stands beside "policy"', "keep one of the two"
