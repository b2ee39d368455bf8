"""`forebay endpoints`."""

from itertools import groupby
from typing import Annotated, Any, Final

import typer

from forebay.admin.client import find, get
from forebay.cli.live import Admin, AsJson
from forebay.cli.output import emit, table
from forebay.cli.status import duration
from forebay.errors import ForebayError
from forebay.types import suggest

_COLUMNS: Final = ("pool", "endpoint", "status", "for", "reason", "next", "tier", "role", "weight", "in flight", "last probes")
_NUMBERS: Final = frozenset({"for", "tier", "weight", "in flight"})


def endpoints(
    *,
    pool: Annotated[str | None, typer.Option(metavar="POOL", help="Of this pool alone.")] = None,
    as_json: AsJson = False,
    admin: Admin = None,
) -> None:
    """Show each endpoint: how it stands, why, since when, and what comes next."""
    every = get(find(admin), "/endpoints")["endpoints"]
    found = [each for each in every if pool in {None, each["pool"]}]
    if pool is not None and not found:
        pools = dict.fromkeys(each["pool"] for each in every)
        raise ForebayError(
            f'there is no pool "{pool}" with endpoints', hint=suggest(pool, pools) or f"those that have some are {', '.join(pools)}"
        )
    if as_json:
        emit(found)
    else:
        table(_COLUMNS, [_row(each) for each in found], right=_NUMBERS, names=2)


def _row(endpoint: dict[str, Any]) -> tuple[str, ...]:
    # What holds by an order says why by itself.
    unsaid = [each for each in endpoint["overlay"] if each["reason"] and each["reason"] not in endpoint["reason"]]
    orders = "; ".join(f"{each['kind']}: {each['reason']}" for each in unsaid)
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
        _probes(endpoint["probes"]) or "-",
    )


def _probes(results: list[str]) -> str:
    """The last results, the newest last; faults that are alike and follow one another as `connect_refused x5`."""
    runs = [(result, list(alike)) for result, alike in groupby(results)]
    return " ".join(" ".join(alike) if "/" in result or len(alike) == 1 else f"{result} x{len(alike)}" for result, alike in runs)
