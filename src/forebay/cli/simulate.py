"""`forebay simulate`."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from forebay.cli.output import emit, say, table
from forebay.errors import ConfigError, Fault
from forebay.simulate import PRESETS, Result, Scenario, compare, preset, read
from forebay.simulate.compare import Watch
from forebay.simulate.names import factories
from forebay.simulate.plot import plot as draw
from forebay.simulate.presets import LOADS
from forebay.types import Malformed

POLICIES: Final = "shortest_expected_delay, least_connections, power_of_two, round_robin, random, oracle"
_COLUMNS: Final = ("policy", "p50", "p90", "p99", "p99.9", "mean", "max", "busy", "least share", "most share", "errors")

_CASE_COLUMNS: Final = ("preset", "servers", "gateways", "load", "case")


def simulate(  # noqa: PLR0913 - one for each option
    case: Annotated[
        str, typer.Option("--preset", metavar="NAME", help=f"The case: {', '.join(PRESETS)}; --presets says more.")
    ] = "unequal",
    *,
    cases: Annotated[bool, typer.Option("--presets", help="Say what each case is, and simulate nothing.")] = False,
    policies: Annotated[
        str, typer.Option(help='What to compare, such as "random, least(inflight / weight)"; oracle knows all.')
    ] = POLICIES,
    requests: Annotated[int, typer.Option(min=1, help="How many requests each policy gets.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Of all randomness: same seed, same result.")] = 1,
    load: Annotated[float | None, typer.Option(help="What comes, as a part of what the servers can do, instead of the preset's.")] = None,
    gateways: Annotated[int | None, typer.Option(help="How many gateways share the servers, instead of the preset's.")] = None,
    signal_delay: Annotated[float, typer.Option(metavar="SECONDS", help="How late gateways learn of an answer.")] = 0.0,
    reports: Annotated[bool, typer.Option("--reports", help="Servers say with each answer how many requests they have.")] = False,
    warm_up: Annotated[float, typer.Option(metavar="SECONDS", help="How much of the start does not count.")] = 0.0,
    arrivals: Annotated[Path | None, typer.Option(metavar="LOG", help="Let requests come as they did in this access log (JSON).")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw tails and shares into a .png or .svg.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Say what policies would do, before they meet traffic.

    Of each policy: percentiles, mean and maximum of the times from a request's
    arrival to the first byte of its answer; how busy the servers were; the least
    and the most that a server got, beside its even share; and how many requests
    got no good answer.

    The same case with other numbers: forebay simulate --preset equal --load 0.95 --policies "random, least(inflight / weight)"
    """
    if cases:
        table(_CASE_COLUMNS, [_case(name, load) for name, load in LOADS.items()], right=frozenset(_CASE_COLUMNS[1:4]))
        return
    with _faults():
        scenario = replace(preset(case, load), signal_delay=signal_delay, reports=reports)
        if gateways is not None:
            scenario = replace(scenario, gateways=gateways)
        if arrivals is not None:
            with arrivals.open(encoding="utf-8") as lines:
                scenario = replace(scenario, arrivals=read(lines))
        named = factories(policies, keys=scenario.keys is not None)
        with _bar(requests) as watch:
            results = compare(scenario, named, requests=requests, seed=seed, warm_up=warm_up, watch=watch)
        if plot is not None:
            draw(results, plot)
    if as_json:
        emit({"preset": case, "meaning": scenario.meaning, "seed": seed, "policies": [_data(*each) for each in results.items()]})
    else:
        say(f"{case}: {scenario.meaning}; {_traffic(scenario, results)}; times in ms")
        table(_COLUMNS, [_row(*each) for each in results.items()], right=frozenset(_COLUMNS[1:]))


@contextmanager
def _faults() -> Iterator[None]:
    """What is wrong with the options, as the errors that the command line prints."""
    try:
        yield
    except Malformed as error:
        raise ConfigError([Fault(error.message, hint=error.hint)]) from None
    except OSError as error:
        raise ConfigError([Fault(f"{error.filename}: {error.strerror}", hint="name a file that can be opened")]) from None


@contextmanager
def _bar(requests: int) -> Iterator[Watch | None]:
    """A bar for each policy on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    # Rich takes a while to import.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bars:

        def watch(name: str) -> Any:  # noqa: ANN401 - mypy knows it as Progress of the simulation
            bar = bars.add_task(name, total=requests)
            return lambda came: bars.update(bar, completed=came)

        yield watch


def _case(name: str, load: float) -> list[str]:
    scenario = preset(name)
    return [name, str(len(scenario.servers)), str(scenario.gateways), f"{load:g}", scenario.meaning]


def _traffic(scenario: Scenario, results: Mapping[str, Result]) -> str:
    counted = next(iter(results.values())).requests
    gateways = f", {scenario.gateways} gateways" if scenario.gateways > 1 else ""
    servers = "1 server" if len(scenario.servers) == 1 else f"{len(scenario.servers)} servers"
    return f"{servers}{gateways}, {counted:,} requests"


def _row(name: str, result: Result) -> list[str]:
    times = (result.p50, result.p90, result.p99, result.p999, result.mean, result.maximum)
    fair = len(result.shares)
    shares = (min(result.shares) * fair, max(result.shares) * fair)
    return [
        name,
        *(f"{1000.0 * time:,.2f}" for time in times),
        f"{100.0 * result.utilisation:.1f} %",
        *(f"{100.0 * share:.0f} %" for share in shares),
        f"{100.0 * result.errors / result.requests:.2f} %",
    ]


def _data(name: str, result: Result) -> dict[str, Any]:
    fields = ("requests", "errors", "p50", "p90", "p99", "p999", "mean", "maximum", "utilisation", "seconds")
    return {"policy": name, **{field: getattr(result, field) for field in fields}, "shares": list(result.shares)}
