"""`forebay release`."""

from forebay.cli.live import POOL, Admin, AsJson, order_pool
from forebay.cli.output import emit, say


def release(pool: POOL, *, as_json: AsJson = False, admin: Admin = None) -> None:
    """Take back a `hold`."""
    answer = order_pool("release", pool, admin, {})
    if as_json:
        emit(answer)
    else:
        say(f"{pool} is released" if answer["changed"] else f"{pool} was not held")
