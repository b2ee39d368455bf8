"""Rows of servers that differ: how well a policy learns who is slow, and who fails fast."""

import statistics
from contextlib import ExitStack
from itertools import pairwise

from bench.load import Sample, sample, tool
from bench.measure import Line
from bench.peers import Proxy
from bench.queues import Queues, queues
from bench.session import Session, disturbed, say, trouble

MEAN = 0.002
"""Seconds that a server of speed 1 takes on the average."""
SPEEDS = (1.0,) * 8 + (0.25,) * 2
LOAD = 0.7
"""Requests, as a part of what all servers together can do."""
CONNECTIONS = 1024
WARM, WINDOW = 1.0, 2.5
ROUNDS = 4
HOPELESS = 1.6
"""A policy whose tail is so many times the best rival's in the first round is not run again: its queues only grow."""
BALANCE = {
    "nginx": {"round robin": "", "least_conn": "least_conn;", "random two least_conn": "random two least_conn;"},
    "haproxy": {name: f"balance {name}" for name in ("roundrobin", "leastconn", "random")},
    "forebay": {"default": ""},
}

GOOD, FAILING = 9, 1
FIRST = 2.0
"""Seconds after which the failing server is known."""


def unequal(session: Session) -> list[Line]:
    """The 99th percentile of the latency over servers of two speeds, Forebay's default against each policy of the rivals."""
    samples: dict[str, list[Sample]] = {}
    with ExitStack() as stack:
        servers = stack.enter_context(queues(session.fresh("queues"), MEAN, SPEEDS))
        proxies = _proxies(session, servers, stack)
        subjects = list(proxies)
        for turn in range(ROUNDS):
            shift = turn % len(subjects)
            for name in [*subjects[shift:], *subjects[:shift]]:
                samples.setdefault(name, []).append(_window(proxies[name], servers, turn))
            if turn == 0:
                subjects = _hopeful(samples)
    values: dict[str, list[float]] = {}
    notes = {}
    for peer in (peer for peer in BALANCE if peer in session.peers):
        tails = {policy: [_tail(entry) for entry in samples[f"{peer} {policy}"]] for policy in BALANCE[peer]}
        values[peer] = min(tails.values(), key=statistics.median)
        notes[peer] = ", ".join(f"{policy} {statistics.median(found):.2f} ms" for policy, found in tails.items())
        say(f"  {peer:8} p99: {notes[peer]}")
    title = f"8 servers and 2 at a quarter of their speed, load {LOAD}: p99"
    line = Line("unequal", title, "ms", values, bar=0.65, notes=notes, invalid=trouble(samples), disturbance=disturbed(samples))
    return [line]


def _proxies(session: Session, servers: Queues, stack: ExitStack) -> dict[str, Proxy]:
    """A proxy for each policy, keyed `PROXY POLICY`."""
    proxies = {}
    for peer, policies in BALANCE.items():
        for policy, line in policies.items():
            if peer in session.peers:
                setting = session.setting(backend=servers.addresses[0], endpoints=servers.addresses, balance=line, probe="/")
                start = session.peers[peer].start(setting, session.fresh(f"{peer}-{policy.replace(' ', '-')}"))
                proxies[f"{peer} {policy}"] = stack.enter_context(start)
    return proxies


def _window(proxy: Proxy, servers: Queues, turn: int) -> Sample:
    """One window of Poisson arrivals, in each round the same for all."""
    rate = LOAD * sum(SPEEDS) / MEAN
    load = ["--rate", rate, "--poisson", turn + 1, "--connections", CONNECTIONS, "--expect", 63]
    return sample(proxy, servers.pid, load, seconds=WINDOW, warm=WARM)


def _tail(window: Sample) -> float:
    """Milliseconds."""
    return window.latency["p99"] / 1e3


def _hopeful(samples: dict[str, list[Sample]]) -> list[str]:
    """Forebay, and the policies that may yet be the best of the rivals."""
    tails = {name: _tail(found[0]) for name, found in samples.items()}
    least = min((tail for name, tail in tails.items() if not name.startswith("forebay")), default=0.0)
    return [name for name, tail in tails.items() if name.startswith("forebay") or tail <= least * HOPELESS]


def errors(session: Session) -> list[Line]:
    """The share of requests that go to a server which answers 500 at once, once that can be known."""
    values, notes = {}, {}
    rate = LOAD * GOOD / MEAN
    for name in (name for name in BALANCE if name in session.peers):
        best = {"nginx": "least_conn;", "haproxy": "balance leastconn", "forebay": ""}[name]
        with queues(session.fresh("queues"), MEAN, (1.0,) * (GOOD + FAILING), failing=FAILING) as servers:
            setting = session.setting(backend=servers.addresses[0], endpoints=servers.addresses, balance=best, probe="/")
            with session.peers[name].start(setting, session.fresh(name)) as proxy:
                load = ["--to", proxy.address, "--rate", rate, "--poisson", 1, "--connections", CONNECTIONS, "--expect", 63, "--warm", 0]
                counts = [servers.taken()]
                for seconds in (FIRST, WINDOW):
                    tool("load", [*load, "--seconds", seconds], limit=40)
                    counts.append(servers.taken())
        early, late = (_share(before, after) for before, after in pairwise(counts))
        values[name] = [late * 100]
        policy = best.rstrip(";") or "default"
        notes[name] = f"{policy}: {early:.1%} in the first {FIRST:.0f} s, then {late:.2%}; a fair share is {FAILING / (GOOD + FAILING):.0%}"
        say(f"  {name:8} {notes[name]}")
    title = "requests to a server of fast 500s among 9 good ones, after 2 s"
    return [Line("errors", title, "%", values, bar=2.0, against_rivals=False, notes=notes)]


def _share(before: list[int], after: list[int]) -> float:
    """The failing servers' part of what all took between two counts."""
    taken = [late - early for early, late in zip(before, after, strict=True)]
    return sum(taken[GOOD:]) / max(1, sum(taken))
