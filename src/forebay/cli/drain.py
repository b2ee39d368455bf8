"""`forebay drain`."""

import time
from threading import Event
from typing import Annotated, Any, Final

import typer

from forebay.cli.live import ENDPOINT, Admin, AsJson, For, Reason, endpoints, length, note, order_endpoint, told
from forebay.cli.output import say
from forebay.types import Address

_LOOK: Final = 0.1
_TELL: Final = 5.0


def drain(
    endpoint: ENDPOINT,
    *,
    reason: Reason = "",
    for_: For = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return once nothing runs there any more.")] = False,
    as_json: AsJson = False,
    admin: Admin = None,
) -> None:
    """Send an endpoint nothing new; what runs there finishes. `undrain` takes it back."""
    gateway, answer = order_endpoint("drain", endpoint, admin, note(reason, for_))
    if wait:
        answer["endpoint"] = _idle(gateway, answer["endpoint"])
    told(answer, f"drains{length(for_)}{', and nothing runs there' if wait else ''}", "drains already", as_json=as_json)


def _idle(gateway: Address, endpoint: dict[str, Any]) -> dict[str, Any]:
    """Look until nothing is in flight there, or it is gone; says now and then how much is left."""
    never, told_at = Event(), time.monotonic()
    while endpoint["inflight"]:
        never.wait(_LOOK)
        found = [each for each in endpoints(gateway) if (each["pool"], each["id"]) == (endpoint["pool"], endpoint["id"])]
        if not found:
            return {**endpoint, "inflight": 0}
        endpoint = found[0]
        if time.monotonic() - told_at > _TELL:
            told_at = time.monotonic()
            say(f"{endpoint['inflight']} in flight on {endpoint['pool']}/{endpoint['id']}")
    return endpoint
