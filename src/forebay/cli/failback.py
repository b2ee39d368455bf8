"""`forebay failback`."""

import time
from threading import Event
from typing import Final

import typer

from forebay.admin.client import find, get
from forebay.cli.live import POOL, Admin, AsJson, order_pool
from forebay.cli.output import emit, say
from forebay.types import Address

_LOOK: Final = 0.05
_PATIENCE: Final = 1.0
"""Seconds after which a pool that was told to go back is not going to."""


def failback(pool: POOL, *, as_json: AsJson = False, admin: Admin = None) -> None:
    """Have a pool go back to its first tier that may serve, now."""
    gateway = find(admin)
    before = _tier(gateway, pool)
    answer = order_pool("failback", pool, admin, {})
    tier = _settled(gateway, pool, before) if answer["changed"] else before
    if as_json:
        emit(answer)
    elif not answer["changed"]:
        say(f"{pool} is served by its first tier already")
    elif tier != before:
        say(f"{pool} has gone back: tier {tier} serves")
    else:
        say(f"{pool} stays where it is, since too few of an earlier tier may serve: tier {tier} serves; `forebay endpoints` says why")
    if tier == before:
        raise typer.Exit(1)


def _settled(gateway: Address, pool: str, before: int | None) -> int | None:
    """The tier that serves once the order has been carried out."""
    never, until = Event(), time.monotonic() + _PATIENCE
    while (tier := _tier(gateway, pool)) == before and time.monotonic() < until:
        never.wait(_LOOK)
    return tier


def _tier(gateway: Address, pool: str) -> int | None:
    """The tier that serves; None for a pool that there is not."""
    found = get(gateway, "/status")["pools"].get(pool)
    return None if found is None else int(found["tier"])
