"""What was learned of endpoints, kept from one run of a gateway to the next."""

import json
from typing import Any, Final

from forebay.control.health import Health
from forebay.control.keep import Kept

FILE: Final = "learned.json"


def save(health: Health, kept: Kept) -> None:
    """Keep it on disk.

    Raises:
        ForebayError: when the file cannot be written.
    """
    kept.write(FILE, json.dumps(health.state()).encode())


def load(health: Health, kept: Kept, wall: float) -> None:
    """Go on from what is kept there; a file that is cut short, of another version or too old is ignored. `wall` is the wall clock now."""
    state, at = kept.read(FILE, _parse, (None, 0.0))
    if state is not None:
        health.restore(state, wall - at)


def _parse(text: bytes) -> tuple[dict[str, Any], float]:
    state = json.loads(text)
    if not isinstance(state, dict):
        raise TypeError("it is no table")
    return state, float(state["at"])
