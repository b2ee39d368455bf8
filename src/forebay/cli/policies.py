"""`forebay policies`."""

from dataclasses import asdict
from typing import Annotated

import typer

from forebay.balance import DEFAULT, POLICIES
from forebay.balance.catalogue import Entry, entries, entry
from forebay.balance.elsewhere import meant
from forebay.cli.output import emit, folded, table
from forebay.errors import ConfigError, Fault


def policies(
    name: Annotated[str | None, typer.Argument(help="One policy, to be told all about it.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the catalogue, or the one policy, as JSON.")] = False,
) -> None:
    """Say which policies there are, or all about one of them."""
    if name is None:
        known = entries()
        if as_json:
            emit([_data(each) for each in known])
        else:
            table(["policy", "kind", "picks"], [(each.name, each.kind, _marked(each)) for each in known])
        return
    if name not in POLICIES:
        hint = meant(name.partition("(")[0]) or f"there are {', '.join(POLICIES)}"
        raise ConfigError([Fault(f'there is no policy "{name}"', hint=hint)])
    if as_json:
        emit(_data(entry(name)))
    else:
        typer.echo(_text(entry(name)))


def _data(each: Entry) -> dict[str, object]:
    return {**asdict(each), "default": each.name == DEFAULT}


def _marked(each: Entry) -> str:
    return f"{each.meaning} (the default)" if each.name == DEFAULT else each.meaning


def _text(each: Entry) -> str:
    rows = [
        ("written", f'balance = "{each.usage}"'),
        ("runs", each.score),
        ("formula", each.formula),
        ("source", each.source),
        ("use it", each.use),
        ("not", each.avoid),
        *each.arguments.items(),
    ]
    width = max(len(label) for label, _ in rows)
    shown = [folded(f"  {label.ljust(width)}  {text}", width + 4) for label, text in rows if text]
    return "\n".join([folded(f"{each.name}: {_marked(each)}"), "", *shown])
