"""`forebay hold`."""

from typing import Annotated

import typer

from forebay.cli.live import POOL, Admin, AsJson, For, length, note, order_pool
from forebay.cli.output import emit, say


def hold(
    pool: POOL,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; shown with the pool for as long as it holds.")],
    for_: For = None,
    as_json: AsJson = False,
    admin: Admin = None,
) -> None:
    """Freeze a pool: nothing is ejected, and no status changes by itself. `release` takes it back."""
    answer = order_pool("hold", pool, admin, note(reason, for_))
    if as_json:
        emit(answer)
    else:
        say(f"{pool} is held as it is{length(for_)}")
