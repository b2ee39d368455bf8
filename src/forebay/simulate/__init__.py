"""What a policy would do before it meets traffic: a discrete-event simulation under a virtual clock.

    from forebay import balance
    from forebay.simulate import Oracle, compare, native, preset

    policies = {"fewest": native(balance.least_connections()), "oracle": Oracle}
    results = compare(preset("unequal"), policies, requests=100_000, seed=1)

Same seed, same result, on any machine; every policy meets the very same requests.
"""

from forebay.simulate.balancers import Balancer, Factory, Oracle, Plant
from forebay.simulate.compare import compare
from forebay.simulate.draws import Deterministic, Distribution, Exponential, LogNormal, Mixture, Pareto
from forebay.simulate.native import native
from forebay.simulate.presets import PRESETS, preset
from forebay.simulate.recording import read
from forebay.simulate.result import Record, Result, quantile
from forebay.simulate.run import simulate
from forebay.simulate.scenario import (
    Arrivals,
    Bursts,
    Cache,
    Closed,
    Cold,
    Crashes,
    Errors,
    Keys,
    Poisson,
    Recorded,
    Scenario,
    Server,
    Slowdowns,
)

__all__ = [
    "PRESETS", "Arrivals", "Balancer", "Bursts", "Cache", "Closed", "Cold", "Crashes", "Deterministic", "Distribution", "Errors",
    "Exponential", "Factory", "Keys", "LogNormal", "Mixture", "Oracle", "Pareto", "Plant", "Poisson", "Record", "Recorded", "Result",
    "Scenario", "Server", "Slowdowns", "compare", "native", "preset", "quantile", "read", "simulate",
]  # fmt: skip
