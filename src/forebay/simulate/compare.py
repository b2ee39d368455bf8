"""Policies side by side, on the very same requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from forebay.simulate.balancers import Factory
from forebay.simulate.result import Result
from forebay.simulate.run import Progress, simulate
from forebay.simulate.scenario import Scenario

Watch = Callable[[str], Progress]
"""Told which policy is simulated next; returns whom to tell how far it is."""


def compare(
    scenario: Scenario,
    policies: Mapping[str, Factory],
    *,
    requests: int = 100_000,
    seed: int = 1,
    warm_up: float = 0.0,
    watch: Watch | None = None,
) -> dict[str, Result]:
    """One run for each policy, by its name; arguments as for `simulate`."""
    return {
        name: simulate(
            scenario, factory, requests=requests, seed=seed, warm_up=warm_up, progress=watch(name) if watch is not None else None
        )
        for name, factory in policies.items()
    }
