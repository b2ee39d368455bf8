"""`forebay run`."""

from dataclasses import replace
from typing import Annotated

import typer

from forebay.cli.output import report
from forebay.cli.target import load
from forebay.config.check import warnings
from forebay.errors import ConfigError
from forebay.gateway import Gateway

_DEFAULT_LISTEN = "127.0.0.1:8080"
_OPTIONS = {"pools.app.endpoints": "--to", "gateway.listen": "--listen", "listen": "--listen"}


def run(
    config: Annotated[
        str | None, typer.Argument(metavar="CONFIG | MODULE:ATTRIBUTE", help="A TOML file, or a Gateway in a module.")
    ] = None,
    to: Annotated[list[str] | None, typer.Option(metavar="ADDRESS", help="Without a file: a server behind; may be repeated.")] = None,
    listen: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help=f"Without a file: where to listen; {_DEFAULT_LISTEN} unless given.")
    ] = None,
) -> None:
    """Run a gateway until it gets SIGTERM or SIGINT."""
    if config is None and not to:
        raise typer.BadParameter("nothing to run: give a TOML file, a MODULE:ATTRIBUTE, or --to ADDRESS", param_hint="CONFIG")
    if config is None:
        _without_file(to or [], listen or _DEFAULT_LISTEN).run()
        return
    if to or listen:
        option = "--to" if to else "--listen"
        raise typer.BadParameter(f"goes without a file; leave it out, or change {config} instead", param_hint=option)
    target = load(config)
    report(warnings(target.gateway))
    target.gateway.run(name=target.name)


def _without_file(to: list[str], listen: str) -> Gateway:
    try:
        return Gateway(listen=listen, pools={"app": {"endpoints": to}})
    except ConfigError as error:
        raise ConfigError([replace(fault, key=_OPTIONS.get(fault.key.partition("[")[0], fault.key)) for fault in error.faults]) from None
