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
    found = kept.read(FILE, _parse, None)
    if found is not None:
        state, at = found
        health.restore(state, wall - at)


def _parse(text: bytes) -> tuple[dict[str, Any], float]:
    state = json.loads(text)
    return state, float(state["at"])
