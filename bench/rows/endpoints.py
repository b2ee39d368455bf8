"""Row of large pools: what a request costs with 1,000 and with 10,000 endpoints, against 10, under the default policy."""

import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from bench.load import Sample
from bench.measure import Line
from bench.peers import RIVALS, Proxy
from bench.session import Session, disturbed, say, trouble

SIZES = (10, 1000, 10_000)
LOAD = ("--connections", 64, "--expect", 63)
FILL = 2.0
"""Seconds of load before the windows: nearly every endpoint has its connection then."""
ROUNDS, RIVAL_ROUNDS = 3, 1
"""The bar is held against Forebay alone; the rivals' figures are notes."""
PARTS = {"all on 10 of them": "first_available(limit=7)", "drawn": "random"}
"""Policies that tell what the default's cost at 1,000 consists of: the pool alone, and with it the change of connections."""

Subject = tuple[int, str]
"""The size of the pool, and the name of the policy where it is not the default."""


def run(session: Session) -> list[Line]:
    """All endpoints are one server under many names, each with connections of its own; the proxies take turns."""
    notes, samples = {}, {}
    for name in (name for name in (*RIVALS, "forebay") if name in session.peers):
        samples[name] = _measure(session, name)
        notes[name] = _told(samples[name])
        say(f"  {name:8} {notes[name]}")
    windows = {f"{name} {size}": found for name, sizes in samples.items() for (size, _), found in sizes.items()}
    lines = []
    for size in SIZES[1:]:
        values = {name: _ratios(sizes[size, ""], sizes[SIZES[0], ""]) for name, sizes in samples.items()}
        line = Line(f"endpoints-{size}", f"{size:,} endpoints, against {SIZES[0]}", "x", values, bar=1.15, against_rivals=False)
        line.invalid, line.disturbance = trouble(windows), disturbed(windows)
        lines.append(line)
    lines[0].notes = notes
    return lines


def _measure(session: Session, name: str) -> dict[Subject, list[Sample]]:
    """Windows of load on one proxy."""
    subjects = {f"{size}": (size, "") for size in SIZES}
    if name == "forebay":
        subjects |= {part: (SIZES[1], part) for part in PARTS}
    with ExitStack() as stack:
        proxies: dict[str, Proxy] = {}
        for subject, (size, part) in subjects.items():
            balance = f'balance = "{PARTS[part]}"' if part else ""
            setting = session.setting(endpoints=(session.backend,) * size, balance=balance)
            folder = session.fresh(f"{name}-{subject.replace(' ', '-')}")
            proxies[subject] = stack.enter_context(session.peers[name].start(setting, folder))
        for proxy in proxies.values():
            replace(session, warm=FILL, seconds=0.1).sample(proxy, LOAD, repeat=False)
        bounded = replace(session, rounds=min(session.rounds, ROUNDS if name == "forebay" else RIVAL_ROUNDS))
        found = bounded.interleave(list(proxies), lambda subject: bounded.sample(proxies[subject], LOAD, repeat=False))
    return {subjects[subject]: windows for subject, windows in found.items()}


def _ratios(many: Sequence[Sample], few: Sequence[Sample]) -> list[float]:
    """By round, whose windows lie side by side."""
    return [large.cpu_us / small.cpu_us for large, small in zip(many, few, strict=True)]


def _told(samples: Mapping[Subject, Sequence[Sample]]) -> str:
    """CPU time a request by size."""
    return ", ".join(
        f"{size:,}{f' {part}' if part else ''}: {statistics.median(entry.cpu_us for entry in windows):.2f} µs"
        for (size, part), windows in samples.items()
    )
