"""`forebay model balance`."""

from typing import Annotated, Any

import typer

from forebay.cli.output import emit, table
from forebay.types import format_duration


def balance(  # noqa: PLR0913 - each parameter is an option
    *,
    policy: Annotated[
        list[str] | None, typer.Option(metavar="POLICY", help="What a balance key holds; may be repeated. Without it, the default policy.")
    ] = None,
    weights: Annotated[str | None, typer.Option(metavar="W,W,...", help="The weight of each endpoint; without it, 1 each.")] = None,
    inflight: Annotated[
        str | None, typer.Option(metavar="N,N,...", help="Requests in flight on each endpoint; without it, 0 each.")
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=V,V,...",
            help="Another field of each endpoint, as latency=5ms,80ms or reported:kv_cache=0.1,0.7; may be repeated.",
        ),
    ] = None,
    servers: Annotated[int | None, typer.Option(metavar="N", help="How many equal servers, for response times and hash tables.")] = None,
    load: Annotated[float | None, typer.Option(metavar="SHARE", help="How busy they are, from 0 to below 1, for response times.")] = None,
    service: Annotated[
        str | None, typer.Option(metavar="DURATION", help="What one request takes an idle server; without it, times are multiples of it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print which endpoint each policy picks, how long requests then take, and what hash tables do.

    Shares: forebay model balance --policy weighted_random --weights 1,2,3

    Response times and hash tables: forebay model balance --servers 10 --load 0.9
    """
    # NumPy takes a while to import, and only this command uses it.
    from forebay.cli.model.sums import Endpoints, hash_tables, responses, shares  # noqa: PLC0415

    endpoints = Endpoints(weights, inflight, field or [])
    if not endpoints.given and servers is None:
        hint = "give --weights for the shares of endpoints, or --servers and --load for response times and hash tables"
        raise typer.BadParameter(f"nothing to compute: {hint}", param_hint="--weights")
    _together("--policy", policy, "--weights", endpoints.given or None)
    _together("--load", load, "--servers", servers)
    _together("--service", service, "--load", load)
    result: dict[str, Any] = {}
    if endpoints.given:
        result["shares"] = shares(policy or [], endpoints)
    if servers is not None and load is not None:
        result["responses"] = responses(servers, load, service)
    if servers is not None:
        result["hash_tables"] = hash_tables(servers)
    if as_json:
        emit(result)
        return
    printers = {"shares": _shares, "responses": _responses, "hash_tables": _hash_tables}
    for number, (name, part) in enumerate(result.items()):
        if number:
            typer.echo()
        printers[name](part)


def _together(option: str, given: object, other: str, needed: object) -> None:
    if given is not None and needed is None:
        raise typer.BadParameter(f"goes with {other}; give that too, or leave this out", param_hint=option)


def _shares(part: dict[str, Any]) -> None:
    typer.echo("Probability that the next request goes to each endpoint\n")
    fields: dict[str, list[float]] = part["endpoints"]
    columns = ["endpoint", *fields, *part["probability"]]
    count = len(fields["weight"])
    rows = [
        [str(index + 1), *(f"{values[index]:g}" for values in fields.values()), *(_percent(p[index]) for p in part["probability"].values())]
        for index in range(count)
    ]
    table(columns, rows, right=frozenset(columns))
    if not any(any(values) for values in part["probability"].values()):
        typer.echo("\nNo endpoint may be picked: every weight is 0.")


def _responses(part: dict[str, Any]) -> None:
    seconds = part["service"]
    typer.echo(f"Mean response time of {part['servers']} equal servers, each busy {_percent(part['load'])} of the time\n")
    unit = "mean response" if seconds is not None else "mean response, x service"
    rows = [[row["policy"], _time(row["mean"], seconds), row["model"]] for row in part["policies"]]
    table(["policy", unit, "computed as"], rows, right=frozenset({unit}))
    queue = part["common_queue"]
    wait, most = _time(queue["mean_wait"], seconds), _time(queue["p99_wait"], seconds)
    typer.echo(
        f"\nIn one common queue {_percent(queue['waits'])} of the requests wait; the mean wait is {wait}, and 99 % wait at most {most}."
    )
    service = "one service time" if seconds is None else f"{format_duration(seconds)} on an idle server"
    typer.echo(f"Requests come at random (Poisson), take {service} on average (exponential), and are served one at a time.")


def _hash_tables(part: dict[str, Any]) -> None:
    typer.echo(f"Hash tables for {part['servers']} equal servers and very many keys\n")
    rows = [[row["table"], f"{row['peak']:.2f}", "-" if row["moved"] is None else _percent(row["moved"])] for row in part["tables"]]
    largest, moved = "largest share, x fair", "keys moved when one leaves"
    table(["table", largest, moved], rows, right=frozenset({largest, moved}))
    typer.echo("\nAt least the share of the one that leaves has to move. What maglev moves is counted on a table, the others are formulas.")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _time(value: float, seconds: float | None) -> str:
    if seconds is None:
        return f"{value:.2f}"
    return f"{value:.3g} s" if value >= 1 else f"{1000 * value:.3g} ms"
