"""The arrivals of a recorded access log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from forebay.simulate.scenario import Recorded
from forebay.types import Malformed


def read(lines: Iterable[str]) -> Recorded:
    """When the requests of Forebay's own log (JSON lines) came, counted from the first of them.

    A record's `time` is when its request came. Raises Malformed for a line that is no such record, and for a log without any.
    """
    times = sorted(_time(number, line) for number, line in enumerate(lines, 1) if line.strip())
    if not times:
        raise Malformed("the log holds no request")
    return Recorded(tuple(time - times[0] for time in times))


def _time(number: int, line: str) -> float:
    try:
        return datetime.fromisoformat(json.loads(line)["time"]).timestamp()
    except (ValueError, KeyError, TypeError):
        raise Malformed(
            f"line {number} is no record of an access log in JSON with a time", "write the log to a file: it is JSON there"
        ) from None
