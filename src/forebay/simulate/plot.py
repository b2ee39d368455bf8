"""Pictures of a comparison: the distribution of latency for each policy, and each endpoint's share over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from forebay.simulate.result import Result
from forebay.types import Malformed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS: Final = (".png", ".svg")
_SLICES: Final = 60
_POINTS: Final = 2000
_SMALLEST_TAIL: Final = 1e-4
_MOST_LINES: Final = 20


def plot(results: Mapping[str, Result], path: Path) -> None:
    """Draw the results, by the name of their policy, into a PNG or SVG file.

    Above, the part of the answers that took longer, over latency, both on logarithmic scales, so that tails are seen; below, for each
    policy, the share of each endpoint over virtual time (with more than 20 endpoints, of the first 20).

    Raises Malformed for another kind of file and where Matplotlib is not installed, OSError where the file cannot be written.
    """
    if path.suffix.lower() not in KINDS:
        raise Malformed(f'"{path}" is no picture that can be made', "name a file that ends in .png or .svg")
    try:
        # An extra, and slow to import.
        from matplotlib import rc_context  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise Malformed("pictures need Matplotlib, which is not installed", 'install "forebay[plot]"') from None
    figure = Figure(figsize=(9.0, 4.5 + 1.6 * len(results)), layout="constrained")
    grid = figure.add_gridspec(1 + len(results), 1, height_ratios=[3.0] + [1.0] * len(results))
    _tails(figure.add_subplot(grid[0]), results)
    for row, (name, result) in enumerate(results.items(), 1):
        _shares(figure.add_subplot(grid[row]), name, result)
    # Without a date and random names, the same results make the same file.
    with rc_context({"svg.hashsalt": "forebay"}):
        figure.savefig(path, dpi=144, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)


def _tails(axes: Axes, results: Mapping[str, Result]) -> None:
    for name, result in results.items():
        count = len(result.latencies)
        ranks = sorted({*range(0, count, max(1, count // _POINTS)), *range(max(0, count - _POINTS), count)})
        axes.plot([result.latencies[rank] for rank in ranks], [(count - rank) / count for rank in ranks], label=name)
    axes.set(xscale="log", yscale="log", xlabel="latency (s)", ylabel="part of the answers that took longer", ylim=(_SMALLEST_TAIL, 1.0))
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()


def _shares(axes: Axes, name: str, result: Result) -> None:
    shown = min(len(result.shares), _MOST_LINES)
    slices = share_over_time(result, _SLICES)
    middle = [(index + 0.5) * result.seconds / _SLICES for index in range(_SLICES)]
    for index in range(shown):
        axes.plot(middle, [each[index] for each in slices], linewidth=0.8)
    axes.set_title(name, loc="left", fontsize="medium")
    axes.set(ylabel="share", ylim=(0.0, None))
    axes.grid(visible=True, alpha=0.3)
    if axes.get_subplotspec() is not None and axes.get_subplotspec().is_last_row():  # type: ignore[union-attr]
        axes.set_xlabel("virtual time (s)")


def share_over_time(result: Result, slices: int) -> Sequence[Sequence[float]]:
    """Each endpoint's share of the picks in each of so many equal slices of the virtual time; 0 in a slice without picks."""
    counts = [[0] * len(result.shares) for _ in range(slices)]
    for time, index in zip(result.record.pick_times, result.record.picks, strict=True):
        counts[min(slices - 1, int(time / result.seconds * slices))][index] += 1
    return [[count / (sum(row) or 1) for count in row] for row in counts]
