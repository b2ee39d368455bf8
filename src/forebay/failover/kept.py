"""What is learned of an endpoint, as JSON for another process or the next start: with ages in place of times."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from forebay.failover.ejection import Sentence
from forebay.failover.roster import Endpoint
from forebay.failover.status import Claim, Reason, Source, Status

LEARNED: Final = (Source.PROBES, Source.SERVER, Source.JUDGEMENT, Source.BASE)
"""What is taken along: neither orders and addresses, which have places of their own, nor the engine's reflex, which is over soon."""


@dataclass(frozen=True, slots=True)
class Learned:
    """The claims that still hold, and the two sentences: times in a row, seconds of the last one, and when that ended or ends."""

    claims: Mapping[Source, Claim]
    sentence: tuple[int, float, float]
    spared: tuple[int, float, float]


def state(endpoint: Endpoint, now: float) -> dict[str, Any]:
    """One endpoint's."""
    claims = {source: claim for source in LEARNED if (claim := endpoint.standing.claim(source)) is not None}
    return {
        "claims": {str(source): _claim(claim, now) for source, claim in claims.items()},
        "sentence": _sentence(endpoint.sentence, now),
        "spared": _sentence(endpoint.spared, now),
    }


def parse(value: object, age: float, now: float) -> Learned:
    """Read what `state` gave `age` seconds ago, without what has lapsed since.

    Raises:
        ValueError: for anything else.
    """
    try:
        return _parsed(value, age, now)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no state of an endpoint: {error}") from error


def restore(endpoint: Endpoint, learned: Learned) -> None:
    """Have an endpoint go on from there."""
    for source, claim in learned.claims.items():
        endpoint.standing.put(source, claim)
    for sentence, (times, lasted, until) in ((endpoint.sentence, learned.sentence), (endpoint.spared, learned.spared)):
        sentence.times, sentence.lasted, sentence.until = times, lasted, until


def _claim(claim: Claim, now: float) -> dict[str, Any]:
    left = None if claim.until is None else claim.until - now
    return {"status": str(claim.status), "reason": str(claim.reason), "text": claim.text, "age": now - claim.since, "for": left}


def _sentence(sentence: Sentence, now: float) -> dict[str, Any]:
    over = None if math.isinf(sentence.until) else now - sentence.until
    return {"times": sentence.times, "lasted": sentence.lasted, "over": over}


def _parsed(value: Any, age: float, now: float) -> Learned:  # noqa: ANN401 - whatever a file holds
    claims: dict[Source, Claim] = {}
    for name, each in value["claims"].items():
        source = Source(name)
        if source not in LEARNED or not isinstance(each["text"], str):
            raise ValueError(f'no claim of "{name}" is taken along')
        since = now - age - _seconds(each["age"])
        until = None if each["for"] is None else now - age + _seconds(each["for"])
        if until is None or until > now:
            claims[source] = Claim(Status(each["status"]), Reason(each["reason"]), each["text"], since, until)
    return Learned(claims, _times(value["sentence"], age, now), _times(value["spared"], age, now))


def _times(value: Any, age: float, now: float) -> tuple[int, float, float]:  # noqa: ANN401 - likewise
    times = value["times"]
    if not isinstance(times, int) or isinstance(times, bool) or times < 0:
        raise ValueError("how often it was left out is no number")
    return times, _seconds(value["lasted"]), -math.inf if value["over"] is None else now - age - _seconds(value["over"])


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number of seconds")
    return float(value)
