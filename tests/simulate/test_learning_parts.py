"""Each part of the learning rule is worth its place: what the default policy does without it, as docs/concepts/balancing.md tells.

A figure is the p99 over that of `least_connections` on the same requests; for the failing server it is the part of requests that fail.
"""

import re
from pathlib import Path

import pytest

from forebay.balance.reference import signals
from forebay.balance.reference.signals import Signals
from forebay.simulate import Deterministic, Exponential, Poisson, Scenario, Server, compare, preset

from .reference import reference

PAGE = Path(__file__).parents[2] / "docs/concepts/balancing.md"
REQUESTS = 20_000


class Divided(Signals):
    """A sample is latency over in-flight, instead of latency over what the pool takes at that in-flight."""

    def answered(self, slot: int, latency: float, inflight: int, *, ok: bool) -> None:
        super().answered(slot, latency / inflight, 1, ok=ok)


class Unsteadied(Signals):
    """A factor jumps to its estimate."""

    def _step(self, elapsed: float, total: float) -> float:
        super()._step(elapsed, total)
        return 1.0


class Forgiving(Signals):
    """An error is an answer, as quick as it came."""

    def answered(self, slot: int, latency: float, inflight: int, *, ok: bool) -> None:  # noqa: ARG002
        super().answered(slot, latency, inflight, ok=True)


class Believing(Signals):
    """Every difference is taken for one."""

    def refresh(self, now: float, inflight: list[int]) -> None:  # type: ignore[override]
        kept, signals.CERTAIN = signals.CERTAIN, 0.0  # type: ignore[misc]
        try:
            super().refresh(now, inflight)
        finally:
            signals.CERTAIN = kept  # type: ignore[misc]


class Naive(Divided, Believing):
    """The textbook rule: an average of latency over in-flight."""


RULES: dict[str, type[Signals]] = {
    "the rule": Signals,
    "latency / inflight": Divided,
    "every difference believed": Believing,
    "both: an average of latency / inflight": Naive,
    "no steadying": Unsteadied,
    "errors as quick as they come": Forgiving,
}
_STREAMS = Scenario("", "", (Server(),) * 10, Poisson(140.0), Exponential(0.05), body=Deterministic(20.0))
CASES = {**{name: preset(name) for name in ("unequal", "sharing", "mixture", "streams", "errors")}, "long bodies": _STREAMS}


def figure(rule: str, case: str, requests: int = REQUESTS) -> float:
    policies = {"rule": reference("shortest_expected_delay", RULES[rule]), "fewest": reference("least_connections")}
    of = compare(CASES[case], policies, requests=requests, seed=1)
    if case == "errors":
        return 100.0 * of["rule"].errors / of["rule"].requests
    return of["rule"].p99 / of["fewest"].p99


def told(rule: str) -> dict[str, str]:
    """The cells of a rule's line in the page, by case."""
    (cells,) = re.findall(rf"^\| {re.escape(rule)} \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    return dict(zip(CASES, cells.split(" | "), strict=True))


@pytest.mark.parametrize(
    ("rule", "case"),
    [
        ("both: an average of latency / inflight", "streams"),
        ("no steadying", "long bodies"),
        ("errors as quick as they come", "errors"),
    ],
)
def test_without_one_part_of_the_rule_a_case_goes_as_wrong_as_the_page_says(rule: str, case: str) -> None:
    found = figure(rule, case)
    assert found == pytest.approx(float(told(rule)[case].strip("*")), rel=0.2)
    assert found > 2 * float(told("the rule")[case])


def test_the_page_tells_of_every_rule_that_is_tried() -> None:
    assert all(set(told(rule)) == set(CASES) for rule in RULES)
