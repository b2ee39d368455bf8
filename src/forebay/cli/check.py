"""`forebay check`."""

from dataclasses import asdict
from typing import Annotated

import typer

from forebay.cli.output import emit, report, say, table
from forebay.cli.target import load
from forebay.config.check import warnings
from forebay.config.effective import effective
from forebay.config.schema import GatewayConfig
from forebay.errors import ConfigError, Fault


def check(
    config: Annotated[str, typer.Argument(metavar="CONFIG | MODULE:ATTRIBUTE", help="A TOML file, or a Gateway in a module.")],
    *,
    show_effective: Annotated[
        bool, typer.Option("--effective", help="Print every limit and timeout in force, and where it came from.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 on warnings too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print faults, and what --effective asks for, as JSON.")] = False,
) -> None:
    """Say everything that is wrong with a configuration; start nothing."""
    gateway: GatewayConfig | None = None
    try:
        gateway = load(config).gateway
        faults = [*gateway.verify(), *warnings(gateway)]
    except ConfigError as error:
        faults = error.faults
    rows = effective(gateway) if gateway is not None and show_effective else []
    if as_json:
        emit({"faults": [asdict(fault) for fault in faults], **({"effective": [asdict(row) for row in rows]} if show_effective else {})})
    else:
        report(faults)
        if rows:
            table(["key", "value", "from"], [(row.key, row.value, row.source) for row in rows])
        say(_verdict(config, gateway, faults))
    errors = any(fault.severity == "error" for fault in faults)
    if errors or (strict and faults):
        raise typer.Exit(2 if errors else 1)


def _verdict(name: str, gateway: GatewayConfig | None, faults: list[Fault]) -> str:
    errors = sum(fault.severity == "error" for fault in faults)
    if gateway is None or errors:
        return f"{name}: {_count(errors, 'fault')}"
    endpoints = sum(len(pool.endpoints) for pool in gateway.pools.values())
    warnings = f", {_count(len(faults), 'warning')}" if faults else ""
    pools = f"{_count(len(gateway.pools), 'pool')} with {_count(endpoints, 'endpoint')}"
    return f"{name}: good{warnings} ({_count(len(gateway.all_listeners), 'listener')}, {_count(len(gateway.all_routes), 'route')}, {pools})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
