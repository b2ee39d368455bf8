"""The table: on the terminal, and in RESULTS.md with all that is needed to judge it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.measure import Line

HEADINGS = ("work", "unit", "nginx", "HAProxy", "Caddy", "Forebay", "against the bar", "95 %", "bar", "aim", "verdict")
INTRODUCTION = """\
Written by the suite; [README.md](README.md) says how each line is measured. Medians over the rounds; lower is better.
The bar is a ratio to the cheaper of nginx and HAProxy in the same run, or a plain value where the line says so.
"Disturbed": other processes took more than 15 % of a core meanwhile."""
COLUMNS = ("nginx", "haproxy", "caddy", "forebay")


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    magnitude = abs(value)
    return f"{value:,.0f}" if magnitude >= 1000 else f"{value:.1f}" if magnitude >= 100 else f"{value:.2f}"


def cells(line: Line) -> list[str]:
    """The cells of one line, in the order of HEADINGS."""
    score, interval = line.score, line.interval
    return [
        line.work,
        line.unit,
        *(_number(line.median(name)) for name in COLUMNS),
        "-" if score is None else f"{score:.2f}x {line.rival}" if line.against_rivals else f"{_number(score)} {line.unit}",
        f"{interval[0]:.2f}-{interval[1]:.2f}" if interval else "",
        f"{line.bar:.2f}x" if line.against_rivals else f"{_number(line.bar)} {line.unit}",
        "" if line.aim is None else _number(line.aim),
        line.verdict,
    ]


def terminal(lines: Iterable[Line]) -> str:
    """The table in columns for a terminal."""
    rows = [list(HEADINGS), *(cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rest])


def write(path: Path, lines: Sequence[Line], facts: Sequence[tuple[str, str]], adds: str) -> None:
    """Writes RESULTS.md: the table, the details of each line, what each proxy adds, the machine and the versions."""
    notes = [[line.work, name, note] for line in lines for name, note in line.notes.items()]
    invalid = [f"- {line.work}: {line.invalid}" for line in lines if line.invalid]
    parts = [
        "# Results of `make bench`",
        INTRODUCTION,
        _markdown([list(HEADINGS), *(cells(line) for line in lines)]),
        *(["## Lines that prove nothing", "\n".join(invalid)] if invalid else []),
        "## What each proxy adds to a request",
        adds,
        "## Machine and versions",
        _markdown([["", ""], *([name, value] for name, value in facts)]),
        "## Details",
        _markdown([["work", "proxy", "median window"], *notes]),
    ]
    path.write_text("\n\n".join(parts) + "\n")
