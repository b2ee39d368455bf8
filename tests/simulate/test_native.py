"""The engine's balancer in a simulation: it picks and learns what the reference does, request by request, and fast enough."""

from itertools import product

import pytest

from forebay.balance import parse
from forebay.simulate import preset, simulate
from forebay.simulate.native import native
from forebay.types import Malformed

from .reference import reference

POLICIES = [
    "shortest_expected_delay",
    "least_connections",
    "least_response_time",
    "peak_ewma",
    "power_of_two",
    "round_robin",
    "weighted_round_robin",
    "random",
    "weighted_random",
    "first_available(limit=3)",
    "least(inflight * service_time + reported('inflight'), choices=3, ties='rotate')",
]


@pytest.mark.parametrize(
    ("case", "policy"),
    [
        *product(["unequal", "errors", "streams"], POLICIES),
        ("caches", "consistent_hash"),
        ("caches", "consistent_hash(table='rendezvous', bounded_load=1.25)"),
    ],
)
def test_every_pick_of_a_simulation_is_the_references(case: str, policy: str) -> None:
    scenario = preset(case)
    native_run, reference_run = (
        simulate(scenario, factory, requests=3000, seed=3) for factory in (native(parse(policy)), reference(policy))
    )
    assert native_run.record.picks == reference_run.record.picks
    assert native_run.latencies == reference_run.latencies


def test_a_python_callable_is_not_simulated() -> None:
    with pytest.raises(Malformed, match="callable"):
        native(parse("python:package.module:function"))
