"""Rows of CPU time per verified response under a closed loop: small requests, headers, bodies, new connections."""

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.load import Sample
from bench.measure import Line
from bench.peers import Proxy
from bench.session import Session, describe, disturbed, say, trouble

PACE = 0.6
BUFFER, OTHER_BUFFER = 64, 32  # KiB. nginx does better with the smaller ones from 1 MiB on, the others do not.
OTHER = "nginx, other buffers"
KIB, MIB = 1 << 10, 1 << 20

HEADERS = [
    "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
    "Accept-Encoding: gzip, deflate, br",
    "Accept-Language: en-GB,en;q=0.9,de;q=0.7",
    "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiZW5jaCJ9.c2lnbmF0dXJl",
    "Cache-Control: no-cache",
    "Cookie: session=5f2a9c1e77; theme=dark; consent=1",
    "If-None-Match: W/'67ab43-5f2a9c1e77'",
    "Origin: http://bench.example",
    "Pragma: no-cache",
    "Referer: http://bench.example/some/earlier/page",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    "X-Client-Version: 4.7.1",
    "X-Device: 1a2b3c4d5e6f",
    "X-Tenant: tenant-0042",
    "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
]


@dataclass(frozen=True)
class Work:
    """One kind of load."""

    key: str
    title: str
    bar: float
    aim: float | None
    connections: int
    arguments: tuple[object, ...] = ()
    bodies: bool = False
    paced: bool = False
    """True: the same rate for every proxy, because in a closed loop the generator would be the limit."""
    latency: bool = False
    """True: the median latency gets a line of its own, no worse than the better rival's."""


def _down(label: str, size: int, connections: int) -> Work:
    arguments = ("--path", f"/size/{size}", "--expect", size)
    return Work(f"body-{label}-down", f"{label} response body", 1.0, 0.85, connections, arguments, bodies=True, latency=size == 10 * MIB)


def _up(label: str, size: int, connections: int) -> Work:
    arguments = ("--post", size, "--path", "/sink", "--expect", len(f"received {size}\n"))
    return Work(f"body-{label}-up", f"{label} request body", 1.0, 0.85, connections, arguments, bodies=True, latency=size == 10 * MIB)


WORKS = {
    work.key: work
    for work in (
        Work("small", "small keep-alive GET, 64 connections", 0.95, 0.88, 64, ("--expect", 63)),
        Work(
            "headers",
            "the same with 15 + 15 headers",
            1.0,
            0.90,
            64,
            ("--path", "/headers", "--expect", 63, *(word for line in HEADERS for word in ("--header", line))),
        ),
        _down("100K", 100 * KIB, 16),
        _up("100K", 100 * KIB, 16),
        _down("1M", MIB, 8),
        _up("1M", MIB, 8),
        _down("10M", 10 * MIB, 4),
        _up("10M", 10 * MIB, 4),
        Work("close", "a new connection per request", 1.0, None, 64, ("--close", "--expect", 63), paced=True),
    )
}


def _rate(session: Session, proxy: Proxy, load: Sequence[object]) -> int:
    """Requests a second that leave room on both cores: PACE of what a closed loop reaches with this proxy."""
    found = session.sample(proxy, load, repeat=False)
    rate = int(found.verified / found.seconds * PACE)
    say(f"  at {rate:,} requests a second")
    return rate


def _keep_cheaper(samples: dict[str, list[Sample]], notes: dict[str, str]) -> None:
    """Leaves under `nginx` the cheaper of its two settings, and says what the other cost."""
    cost = {name: statistics.median(entry.cpu_us for entry in samples[name]) for name in ("nginx", OTHER)}
    label = {"nginx": f"{BUFFER} KiB buffers", OTHER: f"{OTHER_BUFFER} KiB buffers"}
    best, worse = sorted(cost, key=lambda name: cost[name])
    notes["nginx"] = f"{label[best]} ({label[worse]}: {cost[worse]:.1f} µs), {notes[best]}"
    samples["nginx"] = samples[best]
    del samples[OTHER], notes[OTHER]


def run(session: Session, key: str) -> list[Line]:
    """Measures one of WORKS on every proxy."""
    work = WORKS[key]
    load = ["--connections", work.connections, *work.arguments]
    with ExitStack() as stack:
        proxies = stack.enter_context(session.proxies(session.setting(bodies=BUFFER if work.bodies else 0)))
        if work.bodies and "nginx" in proxies:
            other = session.peers["nginx"].start(session.setting(bodies=OTHER_BUFFER), session.fresh("nginx-other"))
            proxies[OTHER] = stack.enter_context(other)
        if work.paced:
            load += ["--rate", _rate(session, next(iter(proxies.values())), load)]
        samples = session.interleave(list(proxies), lambda name: session.sample(proxies[name], load))
    notes = {name: describe(windows) for name, windows in samples.items()}
    if OTHER in samples:
        _keep_cheaper(samples, notes)
    line = Line(
        key=work.key,
        work=work.title,
        unit="µs CPU",
        values={name: [entry.cpu_us for entry in windows] for name, windows in samples.items()},
        bar=work.bar,
        aim=work.aim,
        notes=notes,
        invalid=trouble(samples),
        disturbance=disturbed(samples),
    )
    lines = [line]
    if work.latency:
        milliseconds = {name: [entry.latency["p50"] / 1e3 for entry in windows] for name, windows in samples.items()}
        title = f"{work.title}, p50 latency"
        lines.append(Line(f"{work.key}-p50", title, "ms", milliseconds, 1.0, invalid=line.invalid, disturbance=line.disturbance))
    for name, note in line.notes.items():
        say(f"  {name:8} {line.median(name):9.2f} µs  {note}")
    return lines
