"""`forebay rollback`."""

from typing import Annotated, Any

import typer

from forebay.admin.client import find, get
from forebay.cli.live import Admin, AsJson
from forebay.cli.output import emit, moment, table
from forebay.cli.plan import apply

_COLUMNS = ("number", "first served", "origin", "routes", "pools", "now")


def rollback(
    number: Annotated[int | None, typer.Argument(metavar="NUMBER", help="Which one; the one before the present one unless given.")] = None,
    *,
    listed: Annotated[bool, typer.Option("--list", help="Show the good configurations that are kept; change nothing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, or what is at fault; change nothing.")] = False,
    as_json: AsJson = False,
    admin: Admin = None,
) -> None:
    """Have a running gateway serve an earlier good configuration again. Its file stays as it is, and counts at the next start or reload."""
    gateway = find(admin)
    if not listed:
        apply("/rollback", {} if number is None else {"number": number}, gateway, dry_run=dry_run, as_json=as_json)
        return
    document = get(gateway, "/configurations")
    if as_json:
        emit(document)
        return
    table(_COLUMNS, [_row(each) for each in document["configurations"]], right=frozenset({"number", "routes", "pools"}))


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    numbers = (str(entry["routes"]), str(entry["pools"]))
    return (str(entry["number"]), moment(entry["at"]), entry["origin"], *numbers, "serves" if entry["current"] else "")
