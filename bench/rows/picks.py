"""Rows of the pick itself: nanoseconds in the engine alone, without a request around it."""

from bench import picks
from bench.measure import Line
from bench.paths import PROXY_CORE
from bench.processes import pinned
from bench.session import Session, say

ROUNDS = 3
PICKS = 2000
USERS = "a user's"
RENDEZVOUS = "rendezvous"
# Not in the catalogue, and its exponentials are most of its cost: a note.
BESIDE = "exp of age"


def run(session: Session) -> list[Line]:  # noqa: ARG001 - every row is called alike
    """The fastest of a few runs counts for each case: what else the machine does can only add."""
    command = pinned(PROXY_CORE, [str(picks.build()), "", str(PICKS)])
    rounds = [picks.run(command) for _ in range(ROUNDS)]
    cases = {case: min(found[case] for found in rounds) for case in rounds[0]}
    structural = _some(cases, "structural", 10)
    rendezvous = {RENDEZVOUS: structural.pop(RENDEZVOUS)}
    return [
        _line("pick-structural", "pick by structure, 10 endpoints: the slowest", 60.0, structural),
        _line("pick-rendezvous", "pick by rendezvous, 10 endpoints of different weights", 60.0, rendezvous),
        _line("pick-score", "pick by score, 10 endpoints: the slowest", 120.0, _some(cases, "score", 10)),
        _line("pick-whole", "pick by the default, 10 endpoints, with hold and return", 150.0, _some(cases, "whole", 10)),
        _line("pick-scan", "pick by a user's expression over all of 1,000 endpoints", 3000.0, _some(cases, "score", 1000, USERS), 1500.0),
        _line("pick-sample", "pick by score from 10,000 endpoints: the slowest", 300.0, _some(cases, "score", 10_000)),
    ]


def _some(cases: dict[tuple[str, str, int], float], kind: str, count: int, name: str = "") -> dict[str, float]:
    return {case[1]: value for case, value in cases.items() if case[0] == kind and case[2] == count and name in case[1]}


def _line(key: str, title: str, bar: float, found: dict[str, float], aim: float | None = None) -> Line:
    note = ", ".join(f"{name} {value:.1f}" for name, value in found.items())
    slowest = max(value for name, value in found.items() if name != BESIDE)
    say(f"  {title}: {note} ns")
    return Line(key, title, "ns", {"forebay": [slowest]}, bar, aim, against_rivals=False, notes={"forebay": note})
