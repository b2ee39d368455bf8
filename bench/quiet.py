"""Who is found and who is left in peace by their answers, under a fake clock: `python -m bench.quiet [SEEDS]`, a minute for 100 seeds.

Requests are spread over a pool's endpoints in turn and answered with errors and latencies as asked for, control looks four times a second.
The tests use the same traffic for less time.
"""

import heapq
import math
import random
import sys
from dataclasses import dataclass, field

from forebay.failover.pool import Counts, Member, PoolHealth
from forebay.failover.rules import PoolRules

BASE = 0.02
"""Seconds that half of all answers take less than."""


@dataclass
class Traffic:
    """Every endpoint fails at the rate `errors` and takes log-normal times; from second 2 on the first one is bad as told."""

    seed: int
    endpoints: int = 5
    rate: float = 200.0
    errors: float = 0.01
    bad_errors: float | None = None
    bad_factor: float = 1.0
    outliers: float = 0.0
    tick: float = 0.25
    found: list[tuple[float, str, str]] = field(default_factory=list)
    """When which endpoint became `suspect` or `ejected`."""

    def run(self, seconds: float) -> "Traffic":
        """Let so many seconds pass."""
        draw, pool = random.Random(self.seed), PoolHealth(PoolRules())
        names = [f"e{number}" for number in range(self.endpoints)]
        pool.update(dict.fromkeys(names, Member()), 0.0)
        sums = {name: [0, 0, 0.0] for name in names}
        waiting: list[tuple[float, str, bool, float]] = []
        able, now, look, turn = names, 0.0, self.tick, 0
        while now < seconds:
            now += draw.expovariate(self.rate)
            while look <= now:
                self._answer(pool, sums, waiting, look)
                able, look = self._decide(pool, names, able, look)
            name, turn = able[turn % len(able)], turn + 1
            heapq.heappush(waiting, self._request(draw, name, now))
        return self

    def _request(self, draw: random.Random, name: str, now: float) -> tuple[float, str, bool, float]:
        bad = name == "e0" and now >= 2.0
        failed = draw.random() < (self.bad_errors if bad and self.bad_errors is not None else self.errors)
        latency = math.log(BASE) + draw.gauss(0, 0.5) + (math.log(self.bad_factor) if bad else 0.0)
        if self.outliers and draw.random() < self.outliers:
            latency = math.log(5.0)
        return now + (0.002 if failed else math.exp(latency)), name, failed, latency

    def _answer(self, pool: PoolHealth, sums: dict[str, list[float]], waiting: list[tuple[float, str, bool, float]], now: float) -> None:
        changed = set()
        while waiting and waiting[0][0] <= now:
            _, name, failed, latency = heapq.heappop(waiting)
            each = sums[name]
            each[0], each[1], each[2] = each[0] + 1, each[1] + failed, each[2] + (0.0 if failed else latency)
            changed.add(name)
        for name in sorted(changed):
            answers, errors, logarithms = sums[name]
            pool.observe(name, Counts(int(answers), int(errors), 0, logarithms), now)

    def _decide(self, pool: PoolHealth, names: list[str], able: list[str], now: float) -> tuple[list[str], float]:
        decision = pool.decide(now)
        for change in decision.changes:
            if change.verdict.status in {"suspect", "ejected"}:
                self.found.append((now, change.endpoint, str(change.verdict.status)))
            elif change.verdict.claim.reason == "expired":
                # The request that tries it succeeds.
                pool.event(change.endpoint, "trial_passed", None, now)
        if decision.changes:
            able = [name for name in names if pool.verdict(name).told in {"healthy", "unknown"}] or names
        return able, min(now + self.tick, max(decision.due, now + 0.05))


def main(seeds: int) -> int:
    """Print how often each fault is found within a second, and how many are ejected in ten quiet minutes; 1 if any is."""
    for name, errors, factor in (("30 % errors", 0.3, 1.0), ("ten times the latency", None, 10.0)):
        runs = [Traffic(seed, bad_errors=errors, bad_factor=factor).run(5.0).found for seed in range(seeds)]
        soon = sum(any(at <= 3.0 for at, _, _ in run) for run in runs)
        print(f"one of five with {name}: found within 1 s in {soon} of {seeds} runs")
    runs = [Traffic(seed).run(600.0).found for seed in range(seeds)]
    ejected = sum(status == "ejected" for run in runs for _, _, status in run)
    suspected = sum(status == "suspect" for run in runs for _, _, status in run)
    print(f"quiet for 10 minutes, {seeds} seeds: {ejected} ejected, {suspected} suspected for some seconds")
    return int(ejected > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
