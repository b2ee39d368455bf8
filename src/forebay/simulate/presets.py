"""Ready cases, each with a name: those that Forebay is measured by, and those a first question is about.

Mean work is 10 ms at speed 1, ten servers, one gateway, and Poisson arrivals, where nothing else is said. *Load* is what comes, as a
part of what the servers can do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from forebay.simulate.draws import Deterministic, Distribution, Exponential, LogNormal, Mixture, Pareto
from forebay.simulate.scenario import Bursts, Cache, Cold, Crashes, Errors, Keys, Poisson, Scenario, Server, Slowdowns
from forebay.types import Malformed, suggest

MEAN: Final = 0.01
"""Seconds of work of a request."""

EQUAL: Final = (Server(),) * 10
UNEQUAL: Final = (Server(),) * 8 + (Server(speed=0.25),) * 2
_SLOWED: Final = (Server(slowdowns=Slowdowns(4.0, Exponential(2.7), Exponential(0.3))),) * 10
_CRASHING: Final = (Server(crashes=Crashes(Exponential(30.0), Exponential(3.0)), cold=Cold(4.0, 2.0)),) * 10
_FAILING: Final = Server(workers=16, crashes=Crashes(Exponential(10.0), Exponential(1.0)))
_CACHING: Final = (Server(cache=Cache(1000)),) * 10
_BODY: Final = 20.0
_FIRST_BYTE: Final = 0.05


def _case(meaning: str, servers: tuple[Server, ...], load: float, work: Distribution | None = None, gateways: int = 1) -> Scenario:
    law = work or Exponential(MEAN)
    capacity = sum(server.speed * server.workers for server in servers)
    return Scenario("", meaning, servers, Poisson(load * capacity / law.mean), law, gateways=gateways)


def _streams(servers: tuple[Server, ...], load: float, meaning: str) -> Scenario:
    """A first byte after 50 ms and a body of 20 s, which holds its worker."""
    places = sum(server.workers for server in servers)
    return Scenario(
        "",
        meaning,
        servers,
        Poisson(load * places / (_FIRST_BYTE + _BODY)),
        Exponential(_FIRST_BYTE),
        body=Deterministic(_BODY),
        holds=True,
    )


def _bursts(load: float) -> Scenario:
    busy = Bursts(quiet=0.7 * load * 10 / MEAN, busy=4.0 * load * 10 / MEAN, quiet_lasts=1.0, busy_lasts=0.1)
    return replace(_case("0.1 s at four times the load, 1 s below it", EQUAL, load), arrivals=busy)


_CASES: Final[Mapping[str, tuple[float, Callable[[float], Scenario]]]] = MappingProxyType(
    {
        "equal": (0.9, lambda load: _case("equal servers", EQUAL, load)),
        "unequal": (0.7, lambda load: _case("8 servers, and 2 at a quarter of their speed", UNEQUAL, load)),
        "unequal-gateways": (0.7, lambda load: _case("8 servers, and 2 at a quarter of their speed", UNEQUAL, load, gateways=10)),
        "slowdowns": (0.6, lambda load: _case("each is 4 times slower for a tenth of the time", _SLOWED, load)),
        "slowdowns-gateways": (
            0.6,
            lambda load: _case("each is 4 times slower for a tenth of the time", _SLOWED, load, gateways=10),
        ),
        "fifo": (0.7, lambda load: _case("equal servers of one worker", EQUAL, load)),
        "workers": (0.7, lambda load: _case("equal servers of 16 workers", (Server(workers=16),) * 10, load)),
        "sharing": (0.7, lambda load: _case("equal servers that share their processor", (Server(sharing=True),) * 10, load)),
        "mixture": (
            0.7,
            lambda load: _case(
                "equal servers; 90 % of the requests take 5 ms, 10 % take 2 s",
                EQUAL,
                load,
                Mixture(((0.9, Deterministic(0.005)), (0.1, Deterministic(2.0)))),
            ),
        ),
        "heavy-tail": (0.7, lambda load: _case("equal servers, work of a Pareto law, alpha 1.5", EQUAL, load, Pareto(MEAN, 1.5))),
        "log-normal": (0.7, lambda load: _case("equal servers, log-normal work, sigma 1", EQUAL, load, LogNormal(MEAN))),
        "streams": (
            0.7,
            lambda load: _streams(
                (Server(workers=64),) * 8 + (Server(speed=0.25, workers=64),) * 2,
                load,
                "first byte 50 ms, body 20 s that holds one of 64 workers; 2 of 10 servers at a quarter of the speed",
            ),
        ),
        "streams-equal": (
            0.7,
            lambda load: _streams(
                (Server(workers=64),) * 10, load, "first byte 50 ms, body 20 s that holds one of 64 workers; equal servers"
            ),
        ),
        "errors": (
            0.6,
            lambda load: _case("equal servers, one of which answers 500 within 1 ms", (*EQUAL[:9], Server(errors=Errors())), load),
        ),
        "crashes": (
            0.6,
            lambda load: replace(_case("each is gone for 3 s every half minute, then cold for 2 s", _CRASHING, load), tries=2),
        ),
        "alone": (0.5, lambda load: _case("one server, which is gone for 1 s every 10 s", (_FAILING,), load)),
        "standby": (
            0.25,
            lambda load: replace(_case("two servers, each gone for 1 s every 10 s; 2 tries", (_FAILING, _FAILING), load), tries=2),
        ),
        "bursts": (0.6, _bursts),
        "keys": (0.7, lambda load: replace(_case("equal servers; 10,000 keys, some asked for far more often", EQUAL, load), keys=Keys())),
        "caches": (
            0.7,
            lambda load: replace(
                _case("equal servers that each keep 1,000 of 10,000 keys, whose work is then a tenth", _CACHING, load), keys=Keys()
            ),
        ),
    }
)
PRESETS: Final = tuple(_CASES)
"""The names of the presets."""
LOADS: Final[Mapping[str, float]] = MappingProxyType({name: load for name, (load, _) in _CASES.items()})
"""The load of each, where no other is asked for."""


def preset(name: str, load: float | None = None) -> Scenario:
    """The case of that name, at its own load or another. Raises Malformed for a name that is none, and for a load of 0 or less."""
    if name not in _CASES:
        raise Malformed(f'there is no preset "{name}"', suggest(name, PRESETS) or f"the presets are {', '.join(PRESETS)}")
    own, make = _CASES[name]
    wanted = own if load is None else load
    if not 0.0 < wanted < float("inf"):
        raise Malformed(f"the load is {wanted}: it must be above 0", "write a part of what the servers can do, such as 0.7")
    return replace(make(wanted), name=name)
