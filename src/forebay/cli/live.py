"""What the commands to a running gateway share: which one is meant, which endpoint, why and for how long."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import typer

from forebay.admin.client import find, get, post
from forebay.cli.output import emit, say
from forebay.control.naming import find as find_endpoint
from forebay.types import Address, Malformed, format_duration, parse_duration

AsJson = Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")]
Admin = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS | unix:PATH", help="Which gateway; without it $FOREBAY_ADMIN, else the only one of this user that runs."),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; shown with the endpoint for as long as it holds.")]
For = Annotated[str | None, typer.Option("--for", metavar="DURATION", help="How long, such as 10m; until it is taken back unless given.")]
ENDPOINT = Annotated[str, typer.Argument(metavar="ENDPOINT", help="ADDRESS or POOL/ADDRESS, as `forebay endpoints` shows them.")]
POOL = Annotated[str, typer.Argument(metavar="POOL", help="The pool's name.")]


def endpoints(gateway: Address) -> list[dict[str, Any]]:
    """All endpoints of a gateway."""
    return list(get(gateway, "/endpoints")["endpoints"])


def order_endpoint(verb: str, text: str, admin: str | None, body: Mapping[str, Any]) -> tuple[Address, dict[str, Any]]:
    """Order it of the endpoint that `text` means; the gateway and its answer.

    Raises:
        ForebayError: for an endpoint that there is not, for an address that means several, and for what the gateway refuses.
        ControlError: when it cannot be reached.
    """
    gateway = find(admin)
    meant = find_endpoint(text, endpoints(gateway))
    return gateway, post(gateway, f"/endpoints/{quote(meant['pool'], '')}/{quote(meant['id'], '')}/{verb}", body)


def order_pool(verb: str, pool: str, admin: str | None, body: Mapping[str, Any]) -> dict[str, Any]:
    """Order it of a pool. Raises as `order_endpoint` does."""
    return post(find(admin), f"/pools/{quote(pool, '')}/{verb}", body)


def note(reason: str, for_: str | None) -> dict[str, Any]:
    """The body of an order that has a reason and a duration.

    Raises:
        BadParameter: for what is no duration.
    """
    return {**({"reason": reason} if reason else {}), **({"for": _seconds(for_)} if for_ is not None else {})}


def told(answer: Mapping[str, Any], done: str, already: str, *, as_json: bool) -> None:
    """Say what an order did to an endpoint."""
    if as_json:
        emit(answer)
        return
    endpoint = answer["endpoint"]
    where = f"{endpoint['pool']}/{endpoint['id']}"
    say(f"{where} {done}; it is {endpoint['status']}" if answer["changed"] else f"{where} {already}")


def length(for_: str | None) -> str:
    """` for 10m`, or nothing."""
    return "" if for_ is None else f" for {format_duration(_seconds(for_))}"


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except Malformed as error:
        raise typer.BadParameter(str(error), param_hint="--for") from None
