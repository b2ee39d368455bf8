"""`forebay model failover`."""

from typing import Annotated, Any

import typer

from forebay.cli.output import emit, folded, table
from forebay.cli.target import load
from forebay.errors import ConfigError, Fault
from forebay.types import Malformed, format_duration, parse_duration

_FAULTS = {"crash": "its process dies", "freeze": "it stops answering", "slow": "it is ten times slower"}
_FOOT = (
    "Expected / worst: the worst case is what 999 of 1,000 faults stay within. Requests come at random (Poisson), alike to all.",
    "GETs stand for requests that may run twice, POSTs for those that may not.",
)


def failover(
    config: Annotated[str, typer.Argument(metavar="CONFIG | MODULE:ATTRIBUTE", help="A TOML file, or a Gateway in a module.")],
    *,
    rate: Annotated[float, typer.Option(metavar="N", help="Requests a second to each pool.")] = 100.0,
    latency: Annotated[str, typer.Option(metavar="DURATION", help="What one request takes on the average.")] = "50ms",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; null is what never ends.")] = False,
) -> None:
    """Print what a fault of one endpoint costs under this configuration: seconds until it gets no more requests, and requests lost.

    forebay model failover gateway.toml --rate 800 --latency 20ms
    """
    # NumPy takes a while to import, and only this command uses it.
    from forebay.cli.model.costs import LEARNED, costs  # noqa: PLC0415

    gateway = load(config).gateway
    seconds = _seconds(latency)
    try:
        pools = costs(gateway, rate, seconds)
    except Malformed as error:
        raise ConfigError([Fault(error.message, "--rate or --latency", hint=error.hint)]) from None
    if as_json:
        emit({"rate": rate, "latency": seconds, "pools": pools})
        return
    for number, pool in enumerate(pools):
        if number:
            typer.echo()
        _print(pool, rate, seconds)
    typer.echo()
    for line in _FOOT:
        typer.echo(folded(line))
    typer.echo(folded(f"The learned limit, past which a GET is tried elsewhere too, is taken as {LEARNED:g} times the latency."))


def _print(pool: dict[str, Any], rate: float, seconds: float) -> None:
    which = "its only endpoint" if pool["endpoints"] == 1 else f"one of {pool['endpoints']}"
    which += " of the first tier" if pool["takes_over"] == "the next tier" else ""
    typer.echo(f"Pool {pool['pool']}: {which} fails at {rate:g} requests a second of {format_duration(seconds)}\n")
    columns = ["fault", "found out by", "seconds", "GETs lost", "POSTs lost", "slowest GET"]
    rows = [
        [
            _FAULTS[each["fault"]],
            each["by"],
            _pair(each["seconds"], 3),
            _pair(each["repeatable"], 1),
            _pair(each["once"], 1),
            "for ever" if each["slowest"] is None else format_duration(round(each["slowest"], 3)),
        ]
        for each in pool["faults"]
    ]
    table(columns, rows, right=frozenset(columns[2:]))
    more = "" if pool["load_of_others"] is None else f", which then carry {pool['load_of_others']:.2f}x their load"
    typer.echo(f"\nWhat it leaves is taken by {pool['takes_over']}{more}.")


def _pair(figure: dict[str, float | None], digits: int) -> str:
    return " / ".join("for ever" if value is None else f"{value:.{digits}f}" for value in (figure["expected"], figure["worst"]))


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except Malformed as error:
        raise ConfigError([Fault(error.message, "--latency", hint=error.hint)]) from None
