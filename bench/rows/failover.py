"""Servers that die, freeze, fail or slow down under load: what is lost, and how long it takes.

Forebay runs 20 times and its worst run is what counts, since one lost request in 20 runs is a lost request. Rivals run three times, as they
come and tuned; the tables show their medians.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.faults import WORK, Answers, Case, Server, clients, now, proxy, servers, twice
from bench.measure import Line
from bench.processes import pause
from bench.session import Session, say

TURNS, RIVAL_TURNS = 20, 3
BEFORE, AFTER = 1.0, 2.5
"""Seconds of load before a fault and after it."""
NOTICED = 1.0
SOON = 0.5
CASES = (
    ("nginx", "default"),
    ("nginx", "tuned"),
    ("haproxy", "default"),
    ("haproxy", "tuned"),
    ("forebay", "default"),
)

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Trial:
    """One run: its servers, when the fault happened, and what the clients got."""

    found: Sequence[Server]
    fault: float
    answers: Answers


@dataclass(frozen=True)
class Fault:
    """A row: what happens, what is asked of it, and how it is judged."""

    title: str
    act: Callable[[Sequence[Server]], None]
    judge: Callable[[Trial], Figures]
    bars: Mapping[str, tuple[str, float]]
    """For each figure that `judge` gives, its unit and the most that it may be."""
    count: int = 3
    plan: Mapping[str, object] = field(default_factory=dict)
    server: Mapping[str, float] = field(default_factory=dict)
    after: float = AFTER
    tiers: bool = False


def run(session: Session, key: str) -> list[Line]:
    """One fault, over all proxies; a line for each figure and each way in which the rivals run."""
    fault = FAULTS[key]
    figures: dict[tuple[str, str], list[Figures]] = {}
    for turn in range(TURNS if not session.quick else RIVAL_TURNS):
        for case in CASES:
            if case[0] in session.peers and (case[0] == "forebay" or turn < RIVAL_TURNS):
                figures.setdefault(case, []).append(_trial(session, fault, Case(*case, tiers=fault.tiers), f"{key}-{turn}"))
    for (name, kind), found in figures.items():
        say(f"  {name:8} {kind:8} {_spoken(found, fault)}")
    return [line for figure in fault.bars for line in _lines(key, fault, figure, figures)]


def _trial(session: Session, fault: Fault, case: Case, label: str) -> Figures:
    work = session.fresh(f"failover-{label}-{case.name}-{case.kind}")
    with (
        servers(work, fault.count, **{"busy": WORK, **fault.server}) as found,
        proxy(session, case, found, work) as address,
        clients(work, address, **fault.plan) as finish,
    ):
        pause(BEFORE)
        happened = now()
        fault.act(found)
        pause(fault.after)
        return fault.judge(Trial(found, happened, finish()))


def _lines(key: str, fault: Fault, figure: str, figures: Mapping[tuple[str, str], Sequence[Figures]]) -> list[Line]:
    unit, bar = fault.bars[figure]
    own = [each[figure] for each in figures.get(("forebay", "default"), ())]
    lines = []
    for kind in ("default", "tuned"):
        values = {name: [each[figure] for each in found] for (name, other), found in figures.items() if name != "forebay" and other == kind}
        values["forebay"] = [max(own)] if own else []
        notes = {name: _spoken(found, fault) for (name, other), found in figures.items() if name == "forebay" or other == kind}
        rivals = "as they come" if kind == "default" else "tuned"
        work = f"{fault.title}: {figure}; rivals {rivals}"
        lines.append(Line(f"failover-{key}", work, unit, values, bar=bar, against_rivals=False, notes=notes))
    return lines


def _spoken(found: Sequence[Figures], fault: Fault) -> str:
    """The median and the worst of each figure."""
    parts = [
        f"{figure} {statistics.median(each[figure] for each in found):.1f}, worst {max(each[figure] for each in found):.1f} {unit}"
        for figure, (unit, _) in fault.bars.items()
    ]
    return f"{len(found)} runs: {'; '.join(parts)}"


def _kill_all_but_the_last(found: Sequence[Server]) -> None:
    for server in found[:-1]:
        server.kill()


def _lost_and_slowest(trial: Trial) -> Figures:
    return {"lost": len(trial.answers.lost()), "slowest": trial.answers.slowest()}


def _lost_and_twice(trial: Trial) -> Figures:
    return {"lost": len(trial.answers.lost()), "run twice": twice(trial.found)}


def _frozen_posts(trial: Trial) -> Figures:
    sent_later = trial.answers.lost(trial.fault + SOON)
    longest = max((answer["end"] - trial.fault for answer in trial.answers.lost()), default=0.0)
    return {"sent there after 500 ms": len(sent_later), "ended after": 1e3 * longest, "run twice": twice(trial.found)}


def _failing(trial: Trial) -> Figures:
    later = [answer for answer in trial.answers.all if answer["start"] >= trial.fault + NOTICED]
    return {"failed after 1 s": 100 * len(trial.answers.lost(trial.fault + NOTICED)) / max(1, len(later))}


def _share_of_last(trial: Trial) -> Figures:
    later = [answer for answer in trial.answers.all if answer["start"] >= trial.fault + NOTICED]
    last = trial.found[-1].name
    return {"share after 1 s": 100 * sum(answer["server"] == last for answer in later) / max(1, len(later))}


def _taken_over(trial: Trial) -> Figures:
    standby = trial.found[-1].name
    ends = [answer["end"] for answer in trial.answers.all if answer["server"] == standby]
    first = 1e3 * trial.answers.without_lag(trial.fault, min(ends)) if ends else 1e3 * AFTER
    return {"lost": len(trial.answers.lost()), "standby serves after": first}


LOST = ("requests", 0.0)
EFFECTS = ("requests", 0.0)
RATE = {"rate": 200, "clients": 64}
FAULTS: dict[str, Fault] = {
    "kill-get": Fault("SIGKILL, GET", lambda found: found[0].kill(), _lost_and_slowest, {"lost": LOST, "slowest": ("ms", 60.0)}),
    "kill-post": Fault(
        "SIGKILL, POST",
        lambda found: found[0].kill(),
        _lost_and_twice,
        {"lost": ("requests", 8.0), "run twice": EFFECTS},
        plan={"posts": 1.0},
    ),
    "freeze-get": Fault(
        "SIGSTOP, GET", lambda found: found[0].freeze(), _lost_and_slowest, {"lost": LOST, "slowest": ("ms", 500.0)}, after=4.0
    ),
    "freeze-post": Fault(
        "SIGSTOP, POST",
        lambda found: found[0].freeze(),
        _frozen_posts,
        {"sent there after 500 ms": LOST, "ended after": ("ms", 2500.0), "run twice": EFFECTS},
        plan={"posts": 1.0},
        after=4.0,
    ),
    "quiet": Fault(
        "nothing faulty, 1 % of requests take 3 s",
        lambda _: None,
        _lost_and_twice,
        {"lost": LOST, "run twice": EFFECTS},
        plan={"posts": 0.5, "waits": [[0.01, 3.0]]},
        after=5.0,
    ),
    "errors": Fault(
        "one of five fails 30 %, 200 a second",
        lambda found: found[-1].becomes("errors 0.3"),
        _failing,
        {"failed after 1 s": ("%", 0.1)},
        count=5,
        plan=RATE,
        after=6.0,
    ),
    "slow": Fault(
        "one of five 10 times as slow, 200 a second",
        lambda found: found[-1].becomes("slow 10"),
        _share_of_last,
        {"share after 1 s": ("%", 5.0)},
        count=5,
        plan=RATE,
        after=6.0,
    ),
    "idle": Fault(
        "idle connections closed at 200 ms, POSTs at that gap",
        lambda _: None,
        _lost_and_twice,
        {"lost": LOST, "run twice": EFFECTS},
        plan={"posts": 1.0, "clients": 64, "beat": 0.204},
        server={"busy": 0.005, "idle": 0.2},
        after=5.0,
    ),
    "primaries": Fault(
        "both primaries killed, a standby",
        _kill_all_but_the_last,
        _taken_over,
        {"lost": LOST, "standby serves after": ("ms", 50.0)},
        tiers=True,
    ),
}
