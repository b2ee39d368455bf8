"""Words to standard error, data to standard output."""

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import typer

from forebay.errors import ConfigError, Fault, ForebayError

_NEVER_CUT = 100_000  # columns, for what is no terminal
_GAP = 3  # characters between two columns


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


def folded(line: str, indent: int = 0) -> str:
    """A line for standard output: folded between words where that is a terminal, its later lines indented."""
    if not sys.stdout.isatty():
        return line
    window = shutil.get_terminal_size().columns
    return textwrap.fill(line, window, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[str] = frozenset(), names: int = 1) -> None:
    """Data, for a person: in full where it goes to a pipe, fitted to the window where it goes to a terminal.

    In a window too narrow, words fold, and numbers (the columns in `right`) never do: the columns then stand below one another in
    parts, each of which begins with the first `names` of them.
    """
    # Rich takes a while to import, and only some commands print a table.
    from rich.console import Console  # noqa: PLC0415

    cells = [tuple(row) for row in rows]
    if sys.stdout.isatty():
        console = Console()
        for number, part in enumerate(parts(columns, cells, right, names, console.width)):
            if number:
                console.print()
            console.print(_grid(columns, cells, right, part))
        return
    console = Console(width=_NEVER_CUT)
    with console.capture() as printed:
        console.print(_grid(columns, cells, right, dict.fromkeys(range(len(columns)))))
    for line in printed.get().splitlines():
        typer.echo(line.rstrip())


def parts(
    columns: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[str], names: int, window: int
) -> list[dict[int, int | None]]:
    """The parts in which a table stands in a window of that many characters: the width of each column, by its number."""
    widths = [_widths(column, [row[index] for row in rows], window, folds=column not in right) for index, column in enumerate(columns)]
    needs, wishes = [need for need, _ in widths], [wish for _, wish in widths]
    first = list(range(names))
    found = [list(first)]
    for index in range(names, len(columns)):
        if sum(needs[each] + _GAP for each in found[-1]) + needs[index] > window and len(found[-1]) > names:
            found.append(list(first))
        found[-1].append(index)
    # What is left goes to the texts, whose cells fold, before the numbers, of which the heading alone does.
    texts_first = sorted(range(len(columns)), key=lambda index: columns[index] in right)
    return [_shared([index for index in texts_first if index in part], needs, wishes, window) for part in found]


def _widths(column: str, cells: Sequence[str], window: int, *, folds: bool) -> tuple[int, int]:
    """How wide a column has to be, and how wide it would like to be. A heading always folds."""
    whole = max(map(len, cells), default=0)
    longest = max(len(word) for text in (column, *(cells if folds else ())) for word in text.split())
    need = min(longest, max(window // 3, 1)) if folds else max(longest, whole)
    return need, max(whole, len(column))


def _shared(part: Sequence[int], needs: Sequence[int], wishes: Sequence[int], window: int) -> dict[int, int | None]:
    """The columns' needs, and what these leave of the window given to those that would like more, the first ones first."""
    spare = window - sum(needs[index] for index in part) - _GAP * (len(part) - 1)
    widths: dict[int, int | None] = {}
    for index in part:
        more = max(0, min(wishes[index] - needs[index], spare))
        spare -= more
        widths[index] = needs[index] + more
    return dict(sorted(widths.items()))


def _grid(columns: Sequence[str], rows: Iterable[Sequence[str]], right: frozenset[str], widths: Mapping[int, int | None]) -> Any:  # noqa: ANN401 - Rich's table
    from rich import box  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, width in widths.items():
        grid.add_column(columns[index], justify="right" if columns[index] in right else "left", overflow="fold", width=width)
    for row in rows:
        grid.add_row(*(Text(row[index]) for index in widths))
    return grid


def moment(at: float) -> str:
    """A second of the wall clock, in the time of this place: `2026-03-01 14:05:00`."""
    return f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S}"


def _line(severity: str, text: str) -> None:
    colour = typer.colors.RED if severity == "error" else typer.colors.YELLOW
    typer.echo(f"{typer.style(severity, fg=colour, bold=True)}: {text}", err=True)
