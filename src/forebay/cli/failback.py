"""`forebay failback`."""

import typer

from forebay.cli.live import POOL, Admin, AsJson, order_pool
from forebay.cli.output import emit, say


def failback(pool: POOL, *, as_json: AsJson = False, admin: Admin = None) -> None:
    """Have a pool go back to its first tier that may serve, now."""
    answer = order_pool("failback", pool, admin, {})
    if as_json:
        emit(answer)
    else:
        say(f"{pool} goes back to its first tier" if answer["changed"] else f"{pool} is served by its first tier already")
    if not answer["changed"]:
        raise typer.Exit(1)
