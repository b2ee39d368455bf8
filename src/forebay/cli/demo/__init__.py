"""`forebay demo`."""

from typing import Annotated

import typer


def demo(
    *,
    seconds: Annotated[float, typer.Option(min=3, max=3600, help="How long the load goes on.")] = 12.0,
    plain: Annotated[bool, typer.Option("--plain", help="A line a second, as in a pipe, instead of a live table.")] = False,
) -> None:
    """Watch a server die and come back while no request is lost."""
    # The other verbs start without what this one needs: Rich, and a client.
    from forebay.cli.demo.play import play  # noqa: PLC0415

    raise typer.Exit(play(seconds, plain=plain))
