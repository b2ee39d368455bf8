"""`forebay run`."""

import os
from dataclasses import replace
from typing import Annotated

import typer

from forebay.cli.last_good import last_good
from forebay.cli.output import moment, report, say
from forebay.cli.target import Target, load
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
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Reload whenever the file changes.")] = False,
    else_last_good: Annotated[
        bool, typer.Option("--last-good", help="Where the file is at fault, say so and start by the last configuration that served.")
    ] = False,
) -> None:
    """Run a gateway until it gets SIGTERM or SIGINT."""
    if config is None and not to:
        raise typer.BadParameter("nothing to run: give a TOML file, a MODULE:ATTRIBUTE, or --to ADDRESS", param_hint="CONFIG")
    if config is None and (watch or else_last_good):
        raise typer.BadParameter("goes with a file", param_hint="--watch" if watch else "--last-good")
    if config is None:
        _without_file(to or [], listen or _DEFAULT_LISTEN).run()
        return
    if to or listen:
        option = "--to" if to else "--listen"
        raise typer.BadParameter(f"goes without a file; leave it out, or change {config} instead", param_hint=option)
    target = _good(config) if else_last_good else _loaded(config)
    report(warnings(target.gateway))
    target.gateway.run(name=target.name, source=target.source, watch=watch)


def _loaded(config: str) -> Target:
    try:
        return load(config)
    except ConfigError:
        if last_good(config) is not None:
            say(f"`forebay run {config} --last-good` starts the last configuration that served")
        raise


def _good(config: str) -> Target:
    """As declared where that can be served, else as it was served last."""
    try:
        target = load(config)
        if not (faults := target.gateway.verify()):
            return target
    except ConfigError as error:
        faults = error.faults
    kept = last_good(config)
    if kept is None:
        raise ConfigError(faults)
    report(faults)
    source, entry = kept
    say(f"{config} is at fault: starting configuration {entry.number} ({entry.origin}, {moment(entry.at)}) in its place")
    return Target(entry.config(os.environ, Gateway), source.name, source)


def _without_file(to: list[str], listen: str) -> Gateway:
    try:
        return Gateway(listen=listen, pools={"app": {"endpoints": to}})
    except ConfigError as error:
        raise ConfigError([replace(fault, key=_OPTIONS.get(fault.key.partition("[")[0], fault.key)) for fault in error.faults]) from None
