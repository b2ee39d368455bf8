"""What is simulated, as values: servers and what befalls them, requests and when they come, gateways and what they see.

Times are seconds of the virtual clock. Work is in seconds of a server of speed 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from forebay.simulate.draws import Deterministic, Distribution, Exponential
from forebay.types import Malformed

MOST_GATEWAYS: Final = 100
MOST_SERVERS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Slowdowns:
    """Now and then the server is slower: after a time of law `apart`, for a time of law `lasting`, its speed is divided by `factor`."""

    factor: float
    apart: Distribution
    lasting: Distribution


@dataclass(frozen=True, slots=True)
class Crashes:
    """After a time of law `apart` the server is gone, with all that it holds, for a time of law `lasting`; until then it refuses."""

    apart: Distribution
    lasting: Distribution


@dataclass(frozen=True, slots=True)
class Cold:
    """For `lasting` seconds after its start and after each crash, the server's speed is divided by `factor`."""

    factor: float
    lasting: float


@dataclass(frozen=True, slots=True)
class Errors:
    """That share of the requests is answered by a 500 after `latency` seconds, without work and without waiting."""

    share: float = 1.0
    latency: float = 0.001


@dataclass(frozen=True, slots=True)
class Cache:
    """The server keeps the `size` keys that it was last asked for; the work of one that it has is divided by `factor`. Crashes leave it."""

    size: int
    factor: float = 10.0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise Malformed(f"a cache holds {self.size} keys: it needs one at least")
        if not 0.0 < self.factor < float("inf"):
            raise Malformed(f"a cache's factor is {self.factor}: it must be above 0 and finite")


@dataclass(frozen=True, slots=True)
class Server:
    """One server.

    Attributes:
        speed: work done in a second by one worker.
        workers: how many requests are worked on at once; the others wait.
        sharing: no request waits, and the workers are shared evenly among those in service, each with one worker at most
            (processor sharing); without it, first come first served.
        weight: what the gateway is told.
    """

    speed: float = 1.0
    workers: int = 1
    sharing: bool = False
    weight: int = 1
    slowdowns: Slowdowns | None = None
    crashes: Crashes | None = None
    cold: Cold | None = None
    errors: Errors | None = None
    cache: Cache | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.speed < float("inf"):
            raise Malformed(f"a server's speed is {self.speed}: it must be above 0 and finite")
        if self.workers < 1:
            raise Malformed(f"a server has {self.workers} workers: it needs one at least")


@dataclass(frozen=True, slots=True)
class Keys:
    """Each request has one of `count` keys, the k-th most popular with a probability in proportion to `1 / k ** exponent` (Zipf's law;
    with 0 all are alike).
    """

    count: int = 10_000
    exponent: float = 0.9

    def __post_init__(self) -> None:
        if self.count < 1:
            raise Malformed(f"there are {self.count} keys: requests need one at least")
        if not 0.0 <= self.exponent < float("inf"):
            raise Malformed(f"the exponent of the keys is {self.exponent}: it must be 0 or more, and finite")


@dataclass(frozen=True, slots=True)
class Poisson:
    """Requests come independently of one another, `rate` a second."""

    rate: float


@dataclass(frozen=True, slots=True)
class Bursts:
    """A Markov-modulated Poisson process: `quiet` a second and `busy` a second in turns that last, exponentially, that long on average."""

    quiet: float
    busy: float
    quiet_lasts: float = 1.0
    busy_lasts: float = 0.1

    @property
    def rate(self) -> float:
        """Requests a second on average."""
        return (self.quiet * self.quiet_lasts + self.busy * self.busy_lasts) / (self.quiet_lasts + self.busy_lasts)


@dataclass(frozen=True, slots=True)
class Closed:
    """`clients` that each wait for their answer, think, and ask again."""

    clients: int
    think: Distribution = field(default_factory=lambda: Exponential(0.1))


@dataclass(frozen=True, slots=True)
class Recorded:
    """Requests come at these times, counted from the first and never falling."""

    times: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.times:
            raise Malformed("a recording holds no request")


Arrivals = Poisson | Bursts | Closed | Recorded


@dataclass(frozen=True, slots=True)
class Scenario:
    """A case to simulate.

    Attributes:
        name: what the case is called.
        meaning: what it is, in one line.
        servers: those behind the gateway, in declared order.
        arrivals: when requests come.
        work: the law of a request's work, before its first byte.
        body: the law of how long a body takes behind its first byte; its place in flight is kept until the end.
        holds: whether a body keeps its worker.
        gateways: how many gateways share the servers; each request comes to one of them at random.
        signal_delay: seconds until a gateway learns that an answer began, ended or failed.
        reports: whether servers say with each answer how many requests they have (the metric `inflight`, and as `reported_load` that
            number divided by the workers, at most 1).
        tries: how many endpoints a failed request is sent to at most.
        keys: the keys that requests have, which a consistent hash goes by and caches keep; without them it falls back.
    """

    name: str
    meaning: str
    servers: tuple[Server, ...]
    arrivals: Arrivals
    work: Distribution = field(default_factory=lambda: Deterministic(0.01))
    body: Distribution | None = None
    holds: bool = False
    gateways: int = 1
    signal_delay: float = 0.0
    reports: bool = False
    tries: int = 1
    keys: Keys | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.servers) <= MOST_SERVERS:
            raise Malformed(f"{len(self.servers)} servers: a scenario has 1 to {MOST_SERVERS}")
        if not 1 <= self.gateways <= MOST_GATEWAYS:
            raise Malformed(f"{self.gateways} gateways: a scenario has 1 to {MOST_GATEWAYS}")
        if self.signal_delay < 0.0:
            raise Malformed(f"the signal delay is {self.signal_delay}: it must not be below 0")
        if self.tries < 1:
            raise Malformed(f"a request has {self.tries} tries: it needs one at least")

    @property
    def capacity(self) -> float:
        """Work that all servers together do in a second, while nothing befalls them."""
        return sum(server.speed * server.workers for server in self.servers)
