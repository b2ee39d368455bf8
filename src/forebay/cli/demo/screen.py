"""The demo on the screen: a picture drawn anew in place on a terminal, a line a second in a pipe."""

from typing import Protocol

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from forebay.cli.demo.story import Story
from forebay.cli.status import milliseconds

_COLOURS = {"healthy": "green", "ejected": "red", "dead": "red"}
_EVENTS_SHOWN = 8


class Screen(Protocol):
    """Shows a story as it goes on."""

    def show(self, story: Story, now: float) -> None:
        """Show the present state."""

    def close(self) -> None:
        """Put the terminal back in order."""


class Lines:
    """A line a second, and one for each event."""

    def __init__(self) -> None:
        self._second = 0
        self._told = 0

    def show(self, story: Story, now: float) -> None:
        """Print what is new."""
        for moment, text in story.events[self._told :]:
            typer.echo(f"{moment:5.1f} s  {text}")
        self._told = len(story.events)
        if int(now) > self._second:
            self._second = int(now)
            servers = "; ".join(_line(story, name) for name in story.names)
            typer.echo(f"{now:5.1f} s  {_total(story)}; {servers}")

    def close(self) -> None:
        """Nothing to put back."""


class Picture:
    """A table of the servers, the last events below it."""

    def __init__(self) -> None:
        self._live = Live(refresh_per_second=8)
        self._live.start()

    def show(self, story: Story, now: float) -> None:
        """Draw it."""
        self._live.update(draw(story, now))

    def close(self) -> None:
        """Leave the last picture, and the cursor below it."""
        self._live.stop()


def draw(story: Story, now: float) -> RenderableType:
    """The picture at one moment."""
    table = Table(box=box.SIMPLE_HEAD, title=f"{now:.1f} s   {_total(story)}", title_justify="left", title_style="bold")
    table.add_column("server")
    table.add_column("status", min_width=10)
    for column in ("share", "requests", "p50", "p99"):
        table.add_column(column, justify="right", min_width=8)
    for name in story.names:
        server, status, *numbers = _cells(story, name)
        table.add_row(server, Text(status, style=_COLOURS.get(status, "yellow")), *numbers)
    events = [Text(f"  {moment:5.1f} s  {text}") for moment, text in story.events[-_EVENTS_SHOWN:]]
    return Group(table, *events)


def _line(story: Story, name: str) -> str:
    server, status, share, _, median, _ = _cells(story, name)
    return f"{server} {status}, {share}, p50 {median}"


def _cells(story: Story, name: str) -> list[str]:
    endpoint = story.endpoint(name)
    return [
        name,
        endpoint.status if endpoint is not None else "unknown",
        f"{story.share(name):.0%}",
        str(len(story.latencies.get(name, []))),
        milliseconds(story.quantile(name, 0.5)),
        milliseconds(story.quantile(name, 0.99)),
    ]


def _total(story: Story) -> str:
    return f"{story.total} requests, {len(story.losses)} lost"
