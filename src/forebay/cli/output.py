"""Words to standard error, data to standard output."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer

from forebay.errors import ConfigError, Fault, ForebayError

_NEVER_CUT = 100_000  # columns, for what is no terminal


def say(words: str) -> None:
    """Words, for a person."""
    typer.echo(words, err=True)


def complain(error: ForebayError) -> None:
    """An error; every fault of a ConfigError on a line of its own."""
    if isinstance(error, ConfigError):
        report(error.faults)
    else:
        _line("error", str(error))


def report(faults: Iterable[Fault]) -> None:
    """Faults and warnings, one a line."""
    for fault in faults:
        _line(fault.severity, str(fault))


def emit(value: Any) -> None:  # noqa: ANN401 - any JSON
    """Data, for a program."""
    typer.echo(json.dumps(value, indent=2))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[str] = frozenset()) -> None:
    """Data, for a person: in full where it goes to a pipe, fitted to the window where it goes to a terminal."""
    # Rich takes a while to import, and only some commands print a table.
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        grid.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    if sys.stdout.isatty():
        Console().print(grid)
        return
    console = Console(width=_NEVER_CUT)
    with console.capture() as printed:
        console.print(grid)
    for line in printed.get().splitlines():
        typer.echo(line.rstrip())


def _line(severity: str, text: str) -> None:
    colour = typer.colors.RED if severity == "error" else typer.colors.YELLOW
    typer.echo(f"{typer.style(severity, fg=colour, bold=True)}: {text}", err=True)
