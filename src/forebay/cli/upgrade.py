"""`forebay upgrade`."""

from typing import Annotated, Final

import typer

from forebay.admin.client import find, post
from forebay.cli.live import Admin, AsJson
from forebay.cli.output import emit, say

_PATIENCE: Final = 60.0
"""Seconds; the gateway itself gives the new process thirty."""


def upgrade(
    *,
    python: Annotated[
        str | None, typer.Option(metavar="PATH", help="The interpreter of another installation; the one that runs now unless given.")
    ] = None,
    as_json: AsJson = False,
    admin: Admin = None,
) -> None:
    """Have a new process take a gateway over, with its sockets and what it has learned; the old one finishes what runs there."""
    done = post(find(admin), "/upgrade", {} if python is None else {"python": python}, patience=_PATIENCE)
    if as_json:
        emit(done)
        return
    before = done["before"]
    say(
        f"process {done['pid']} (version {done['version']}) has taken over from {before['pid']} (version {before['version']}), which drains"
    )
