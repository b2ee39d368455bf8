"""`forebay status`."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from forebay.admin.client import find, get
from forebay.cli.output import emit, table

_COLUMNS = ("pool", "endpoint", "status", "for", "role", "weight", "requests", "failures", "inflight", "p50", "p99", "reason")
_NUMBERS = frozenset({"for", "weight", "requests", "failures", "inflight", "p50", "p99"})


def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole document as JSON.")] = False,
    admin: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS | unix:PATH",
            help="Which gateway; without it $FOREBAY_ADMIN, else the only one of this user that runs.",
        ),
    ] = None,
) -> None:
    """Show a running gateway: listeners, pools, endpoints and why each is as it is."""
    document = get(find(admin), "/status")
    if as_json:
        emit(document)
        return
    typer.echo("\n".join(_head(document)))
    typer.echo()
    table(_COLUMNS, _rows(document), right=_NUMBERS, names=2)


def _head(document: dict[str, Any]) -> list[str]:
    listeners = ", ".join(f"http://{address}" for addresses in document["listeners"].values() for address in addresses)
    exchanges, connections, records = document["exchanges"], document["connections"], document["records"]
    causes = ", ".join(f"{cause} {count}" for cause, count in document["causes"].items())
    events = ", ".join(f"{kind} {count}" for kind, count in document["events"].items())
    identity = f"forebay {document['version']}, pid {document['pid']}"
    state = f"{document['state']} for {duration(document['uptime'])} on {listeners or 'nothing'}"
    requests = f"{exchanges['total']} in all, {exchanges['running']} running, {exchanges['tunnels']} tunnels"
    return [
        f"{identity}, {state}",
        f"snapshot {document['snapshot']}, revision {document['revision']}, {document['threads']} threads, {document['control']}",
        f"requests: {requests}; connections: {connections['open']} open, {connections['idle']} of them idle",
        f"records: {records['written']} written, {records['dropped']} dropped; causes: {causes or 'none'}",
        f"events: {events or 'none'}",
        *(line for name, pool in document["pools"].items() for line in _unusual(name, pool)),
        *(line for source in document["discovery"] for line in _stale(source)),
    ]


def _unusual(name: str, pool: dict[str, Any]) -> Iterator[str]:
    """What a person must know of a pool before its endpoints."""
    if pool["all_down"]:
        yield f"pool {name}: ALL DOWN: no endpoint may serve; `forebay endpoints` says why"
    elif pool["tier"]:
        yield f"pool {name}: tier {pool['tier']} serves"
    if pool["held"]:
        yield f"pool {name}: held as it is: {pool['held']['reason']}"


def _stale(source: dict[str, Any]) -> Iterator[str]:
    """What serves without having been confirmed lately, and what has nothing to serve."""
    why = (source["error"] or "").removeprefix(f"{source['source']}: ")
    if source["state"] in {"stale", "held"}:
        age = f", confirmed {duration(source['age'])} ago" if source["age"] is not None else ""
        yield f"{source['kind']} {source['source']}: {source['state']}{age}: {why}"
    elif source["state"] == "empty":
        yield f"{source['kind']} {source['source']}: nothing found: {why}"


def _rows(document: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            pool,
            name,
            endpoint["status"],
            duration(endpoint["since"]),
            endpoint["role"],
            str(endpoint["weight"]),
            str(endpoint["requests"]),
            str(endpoint["failures"]),
            str(endpoint["inflight"]),
            milliseconds(endpoint["latency"]["p50"]),
            milliseconds(endpoint["latency"]["p99"]),
            endpoint["reason"] or "",
        )
        for pool, value in document["pools"].items()
        for name, endpoint in value["endpoints"].items()
    ]


def duration(seconds: float) -> str:
    """Two units at most: `4s`, `3m 20s`, `2d 4h`."""
    whole = int(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {whole % 60}s" if minutes else f"{whole}s"


def milliseconds(seconds: float | None) -> str:
    """`1.3 ms`, or a dash where there is nothing to tell."""
    return "-" if seconds is None else f"{1000 * seconds:.1f} ms"
