"""`forebay events`."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from forebay.admin.client import find, follow, get
from forebay.cli.live import Admin, AsJson
from forebay.cli.output import emit, say, table
from forebay.errors import ForebayError

_COLUMNS: Final = ("event", "at", "kind", "pool", "endpoint", "change", "text")
_SHOWN: Final = 50


def events(
    *,
    since: Annotated[int | None, typer.Option(metavar="EVENT", min=0, help="Those after the event of this number.")] = None,
    keep_on: Annotated[bool, typer.Option("--follow", help="Go on with what happens from now on, until Ctrl-C.")] = False,
    as_json: AsJson = False,
    admin: Admin = None,
) -> None:
    """Show what has happened: statuses, tiers, orders, reloads."""
    gateway = find(admin)
    if keep_on:
        for event in follow(gateway, f"/events?follow=true&since={since or 0}" + ("" if since is not None else f"&limit={_SHOWN}")):
            typer.echo(json.dumps(event) if as_json else _line(event))
        raise ForebayError("the gateway has ended")
    document = get(gateway, f"/events?since={since or 0}")
    if as_json:
        emit(document)
        return
    if document["lost"]:
        say(f"{document['lost']} earlier ones are no longer kept")
    if not document["events"]:
        say("nothing has happened so far" if not since else f"nothing has happened since event {since}")
        return
    table(_COLUMNS, [_row(event) for event in document["events"][-_SHOWN if since is None else 0 :]], right=frozenset({"event"}))


def _row(event: dict[str, Any]) -> tuple[str, ...]:
    at = datetime.fromtimestamp(event["at"], UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    change = f"{event['from']} -> {event['to']}" if event["from"] and event["to"] else ""
    return str(event["seq"]), at, event["kind"], event["pool"] or "", event["endpoint"] or "", change, event["text"]


def _line(event: dict[str, Any]) -> str:
    number, at, kind, pool, endpoint, change, text = _row(event)
    where = "/".join(part for part in (pool, endpoint) if part)
    return "  ".join(part for part in (number, at, kind, where, change, text) if part)
