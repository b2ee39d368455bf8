"""`forebay version`."""

import platform

import typer

from forebay.control.engine import VERSION


def version() -> None:
    """Print the version."""
    typer.echo(f"forebay {VERSION} (Python {platform.python_version()}, {platform.system()} {platform.machine()})")
