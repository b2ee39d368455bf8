"""Row of large pools: what a request costs with 1,000 and with 10,000 endpoints, against 10, under the default policy."""

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from bench.load import Sample
from bench.measure import Line
from bench.peers import RIVALS, Proxy
from bench.session import Session, disturbed, say, trouble

SIZES = (10, 1000, 10_000)
LOAD = ("--connections", 64, "--expect", 63)
FILL = 3.0
"""Seconds of load before the windows: every endpoint has its connection then."""
RIVAL_ROUNDS = 2
"""The bar is held against Forebay alone; the rivals' figures are notes."""


def run(session: Session) -> list[Line]:
    """All endpoints are one server under many names, each with connections of its own; the rivals take turns."""
    rivals = [name for name in RIVALS if name in session.peers]
    lines, notes, samples = [], {}, {}
    for name in [*rivals, "forebay"]:
        if name in session.peers:
            samples[name] = _measure(replace(session, rounds=RIVAL_ROUNDS) if name in rivals else session, name)
            notes[name] = _told(samples[name])
            say(f"  {name:8} {notes[name]}")
    windows = {f"{name} {size}": found for name, sizes in samples.items() for size, found in sizes.items()}
    for size in SIZES[1:]:
        values = {name: _ratios(sizes[size], sizes[SIZES[0]]) for name, sizes in samples.items()}
        line = Line(f"endpoints-{size}", f"{size:,} endpoints, against {SIZES[0]}", "x", values, bar=1.15, against_rivals=False)
        line.invalid, line.disturbance = trouble(windows), disturbed(windows)
        lines.append(line)
    lines[0].notes = notes
    return lines


def _measure(session: Session, name: str) -> dict[int, list[Sample]]:
    """Windows of load on one proxy, by the size of its pool."""
    with ExitStack() as stack:
        proxies: dict[str, Proxy] = {}
        for size in SIZES:
            setting = session.setting(endpoints=(session.backend,) * size)
            proxies[str(size)] = stack.enter_context(session.peers[name].start(setting, session.fresh(f"{name}-{size}")))
        for proxy in proxies.values():
            replace(session, warm=FILL, seconds=0.1).sample(proxy, LOAD, repeat=False)
        found = session.interleave(list(proxies), lambda size: session.sample(proxies[size], LOAD))
    return {int(size): windows for size, windows in found.items()}


def _ratios(many: Sequence[Sample], few: Sequence[Sample]) -> list[float]:
    """By round, whose windows lie side by side."""
    return [large.cpu_us / small.cpu_us for large, small in zip(many, few, strict=True)]


def _told(samples: dict[int, list[Sample]]) -> str:
    """CPU time a request by size."""
    return ", ".join(f"{size:,}: {statistics.median(entry.cpu_us for entry in windows):.2f} µs" for size, windows in samples.items())
