"""One run: requests come, gateways pick, servers work, and everything that happened is written down."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from forebay.simulate.arrivals import open_arrivals
from forebay.simulate.balancers import Balancer, Factory, Plant
from forebay.simulate.clock import Clock
from forebay.simulate.draws import stream
from forebay.simulate.fate import Fate
from forebay.simulate.keys import Kept, Popularity, name
from forebay.simulate.machines import Machine, Queue, Sharing
from forebay.simulate.result import Record, Result
from forebay.simulate.scenario import Closed, Scenario, Server
from forebay.types import Malformed

Progress = Callable[[int], None]
"""Told how many requests have come, every thousand."""

LARGEST_SEED: Final = 2**63 - 1
"""Each gateway's own seed is a little larger, and still one of the engine's."""
_TOLD_EVERY: Final = 1000
_Try: TypeAlias = tuple[Balancer, int, int]
"""Of one try: whose it is, its ticket, and where it went."""


def simulate(
    scenario: Scenario, factory: Factory, *, requests: int = 100_000, seed: int = 1, warm_up: float = 0.0, progress: Progress | None = None
) -> Result:
    """Simulate that many requests of a scenario, to the end of the last.

    Every policy meets the same arrivals, the same work, the same gateways and the same faults: each has a stream of draws of its own,
    taken in the order in which requests come.

    Args:
        scenario: what is simulated.
        factory: makes each gateway's balancer: `native(policy)` or `Oracle`.
        requests: how many; a recording may hold fewer.
        seed: of all randomness, the picks' too.
        warm_up: seconds from the start that are left out of what is reported.
        progress: told how many requests have come.

    Raises Malformed for less than one request, for a seed below 0 or above `LARGEST_SEED`, and where the warm-up leaves no request.
    """
    if requests < 1:
        raise Malformed(f"{requests} requests: simulate one at least")
    if not 0 <= seed <= LARGEST_SEED:
        raise Malformed(f"the seed is {seed}", f"write a whole number from 0 to {LARGEST_SEED}")
    run = _Run(scenario, factory, requests, seed)
    run.progress = progress
    run.start()
    run.clock.run(run.over)
    result = Result.of(scenario, run.record, [machine.busy() for machine in run.machines], run.clock.now, warm_up)
    if not result.requests:
        last = f"the last request came after {run.record.times[-1]:.3g} s" if run.record.times else "none came"
        raise Malformed(f"the warm-up of {warm_up:g} s leaves no request: {last}", "write a shorter warm-up, or more requests")
    return result


class _Run:
    def __init__(self, scenario: Scenario, factory: Factory, requests: int, seed: int) -> None:
        self.scenario = scenario
        self.clock = Clock()
        self.record = Record()
        self.progress: Progress | None = None
        self.machines = [self._machine(server) for server in scenario.servers]
        self.plant = Plant(scenario.servers, self.machines)
        self.balancers = [factory(self.plant, seed + number) for number in range(scenario.gateways)]
        self._wanted = requests
        self._came = 0
        self._ended = 0
        self._next = open_arrivals(scenario.arrivals, stream(seed, "arrivals"))
        self._work = partial(scenario.work.draw, stream(seed, "work"))
        self._body = partial(scenario.body.draw, stream(seed, "body")) if scenario.body else None
        self._gateway = stream(seed, "gateway")
        self._key = partial(Popularity(scenario.keys).draw, stream(seed, "keys")) if scenario.keys else None
        self._kept = [Kept(server.cache) if server.cache and scenario.keys else None for server in scenario.servers]
        self._luck = stream(seed, "luck")
        self._think = stream(seed, "think")
        self._faulty = any(server.errors for server in scenario.servers)
        # Of each request, by its number: its work, its luck, its body, its key, its gateway, and where its present try went.
        self._works = array("d")
        self._lucks = array("d")
        self._bodies = array("d")
        self._keys = array("L")
        self._gateways = array("H")
        self._tickets = array("Q")
        self._tried: dict[int, list[int]] = {}
        self._fates = [
            Fate(self.clock, self.plant, index, self.refuse, stream(seed, f"server {index}")) for index in range(len(scenario.servers))
        ]

    def _machine(self, server: Server) -> Machine:
        if server.sharing:
            return Sharing(self.clock, self._served, speed=server.speed, workers=server.workers)
        return Queue(self.clock, self._served, speed=server.speed, workers=server.workers, holds=self.scenario.holds)

    def start(self) -> None:
        """Make the first events."""
        for fate, server in zip(self._fates, self.scenario.servers, strict=True):
            fate.begin(server)
        arrivals = self.scenario.arrivals
        if isinstance(arrivals, Closed):
            for _ in range(min(arrivals.clients, self._wanted)):
                self.clock.after(arrivals.think.draw(self._think), self._arrive, None)
        else:
            self._schedule_arrival()

    def over(self) -> bool:
        """Whether the last request has ended."""
        return self._ended >= self._wanted

    def _schedule_arrival(self) -> None:
        if self._came >= self._wanted:
            return
        at = self._next()
        if at is None:
            self._wanted = self._came
        else:
            self.clock.at(at, self._arrive, None)

    def _arrive(self, _: None) -> None:
        request = self._came
        if request >= self._wanted:
            return
        self._came += 1
        self._works.append(self._work())
        self._lucks.append(self._luck())
        self._bodies.append(self._body() if self._body else 0.0)
        if self._key:
            self._keys.append(self._key())
        self._gateways.append(int(self._gateway() * len(self.balancers)))
        self._tickets.append(0)
        self.record.came(self.clock.now)
        if self.progress and self._came % _TOLD_EVERY == 0:
            self.progress(self._came)
        self._send(request)
        if not isinstance(self.scenario.arrivals, Closed):
            self._schedule_arrival()

    def _send(self, request: int) -> None:
        tried = self._tried.get(request, ())
        key = name(self._keys[request]) if self._key else None
        picked = self.balancers[self._gateways[request]].pick(self.clock.now, key, tried)
        if picked is None:
            self._over(request)
            return
        self._tickets[request], index = picked
        self.record.went(request, index, self.clock.now)
        errors = self.scenario.servers[index].errors if self._faulty else None
        if self.plant.speeds[index] == 0.0:
            self.refuse(request)
        elif errors and self._lucks[request] < errors.share:
            self.clock.after(errors.latency, self._answer_error, request)
        else:
            kept, work = self._kept[index], self._works[request]
            self.machines[index].arrive(request, kept.work(self._keys[request], work) if kept else work)

    def _signal(self, signal: Callable[[_Try], None], request: int) -> None:
        """Let the request's gateway learn something of its present try, at once or with delay."""
        told = self.balancers[self._gateways[request]], self._tickets[request], self.record.endpoints[request]
        if self.scenario.signal_delay > 0.0:
            self.clock.after(self.scenario.signal_delay, signal, told)
        else:
            signal(told)

    def _served(self, request: int) -> None:
        """A machine has done a request's work."""
        self.record.answered(request, self.clock.now)
        self._signal(self._see_answer, request)
        if self._body:
            self.clock.after(self._bodies[request], self._end_body, request)
        else:
            self._signal(self._see_end, request)
            self._over(request)

    def _end_body(self, request: int) -> None:
        if self.scenario.holds:
            self.machines[self.record.endpoints[request]].release(request)
        self._signal(self._see_end, request)
        self._over(request)

    def _answer_error(self, request: int) -> None:
        self._signal(self._see_error, request)
        self._again(request)

    def refuse(self, request: int) -> None:
        """The request's server is gone."""
        self._signal(self._see_failure, request)
        self._again(request)

    def _again(self, request: int) -> None:
        """Try another endpoint, where tries are left."""
        tried = self._tried.setdefault(request, [])
        tried.append(self.record.endpoints[request])
        if len(tried) < min(self.scenario.tries, len(self.machines)):
            self._send(request)
        else:
            self._over(request)

    def _over(self, request: int) -> None:
        self._ended += 1
        self._tried.pop(request, None)
        arrivals = self.scenario.arrivals
        if isinstance(arrivals, Closed):
            self.clock.after(arrivals.think.draw(self._think), self._arrive, None)

    def _see_answer(self, told: _Try) -> None:
        balancer, ticket, index = told
        now = self.clock.now
        balancer.answered(ticket, now, ok=True)
        if self.scenario.reports:
            present = self.machines[index].present
            balancer.report(index, now, min(1.0, present / self.plant.workers[index]), {"inflight": float(present)})

    def _see_end(self, told: _Try) -> None:
        balancer, ticket, _ = told
        balancer.done(ticket, self.clock.now)

    def _see_error(self, told: _Try) -> None:
        balancer, ticket, _ = told
        balancer.answered(ticket, self.clock.now, ok=False)
        balancer.done(ticket, self.clock.now)

    def _see_failure(self, told: _Try) -> None:
        balancer, ticket, _ = told
        balancer.failed(ticket, self.clock.now)
