"""`forebay endpoints`."""

from typing import Annotated, Any, Final

import typer

from forebay.admin.client import find, get
from forebay.cli.live import Admin, AsJson
from forebay.cli.output import emit, table
from forebay.cli.status import duration

_COLUMNS: Final = ("pool", "endpoint", "status", "for", "reason", "next", "tier", "role", "weight", "in flight", "last probes")
_NUMBERS: Final = frozenset({"for", "tier", "weight", "in flight"})


def endpoints(
    *,
    pool: Annotated[str | None, typer.Option(metavar="POOL", help="Of this pool alone.")] = None,
    as_json: AsJson = False,
    admin: Admin = None,
) -> None:
    """Show each endpoint: how it stands, why, since when, and what comes next."""
    found = [each for each in get(find(admin), "/endpoints")["endpoints"] if pool in {None, each["pool"]}]
    if as_json:
        emit(found)
    else:
        table(_COLUMNS, [_row(each) for each in found], right=_NUMBERS, names=2)


def _row(endpoint: dict[str, Any]) -> tuple[str, ...]:
    orders = "; ".join(f"{each['kind']}: {each['reason']}" for each in endpoint["overlay"] if each["reason"])
    return (
        endpoint["pool"],
        endpoint["id"],
        endpoint["status"],
        duration(endpoint["since"]),
        "; ".join(part for part in (endpoint["reason"], orders) if part),
        endpoint["next"] or "",
        str(endpoint["tier"]),
        endpoint["role"],
        str(endpoint["weight"]),
        str(endpoint["inflight"]),
        " ".join(endpoint["probes"]) or "-",
    )
