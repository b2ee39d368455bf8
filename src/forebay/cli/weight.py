"""`forebay weight`."""

from typing import Annotated, Final

import typer

from forebay.cli.live import ENDPOINT, Admin, AsJson, For, Reason, length, note, order_endpoint, told
from forebay.config.pools import MAX_WEIGHT

_DECLARED: Final = "declared"


def weight(
    endpoint: ENDPOINT,
    number: Annotated[str, typer.Argument(metavar=f"NUMBER | {_DECLARED}", help=f"0 to 1000, or `{_DECLARED}` to take it back.")],
    *,
    reason: Reason = "",
    for_: For = None,
    as_json: AsJson = False,
    admin: Admin = None,
) -> None:
    """Give an endpoint another weight than the declared one."""
    if number != _DECLARED and not (number.isascii() and number.isdigit()):
        raise typer.BadParameter(f'"{number}" is neither a whole number nor "{_DECLARED}"', param_hint="NUMBER")
    value = None if number == _DECLARED else int(number)
    if value is not None and value > MAX_WEIGHT:
        raise typer.BadParameter(f"a weight is a whole number from 0 to {MAX_WEIGHT}, not {value}", param_hint="NUMBER")
    _, answer = order_endpoint("weight", endpoint, admin, {**note(reason, for_), "weight": value})
    told(answer, f"has the weight {answer['endpoint']['weight']}{length(for_)}", "has its declared weight", as_json=as_json)
