"""One run of the suite: its settings, its backend, and the rounds that interleave the proxies."""

import json
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.load import Sample, sample
from bench.paths import LOAD_CORE, TOOL
from bench.peers import Peer, Proxy, Setting
from bench.processes import running

EXTRA_ROUNDS = 2
"""How many windows a round may repeat because the generator, not the proxy, was the limit."""


@dataclass(frozen=True)
class Session:
    """Settings of the run and what every row shares."""

    peers: Mapping[str, Peer]
    rounds: int
    seconds: float
    warm: float
    quick: bool
    forward: str
    work: Path
    backend: str
    backend_pid: int

    def setting(self, **changes: object) -> Setting:
        """The setting of a proxy for this run, with a row's changes."""
        return replace(Setting(self.backend, forward=self.forward), **changes)  # type: ignore[arg-type]

    @contextmanager
    def proxies(self, setting: Setting, names: Sequence[str] | None = None) -> Iterator[dict[str, Proxy]]:
        """Starts the named proxies (all by default) side by side; only the one under load runs."""
        with ExitStack() as stack:
            wanted = [name for name in (names or self.peers) if name in self.peers]
            yield {name: stack.enter_context(self.peers[name].start(setting, self.fresh(name))) for name in wanted}

    def fresh(self, name: str) -> Path:
        """An empty work folder of that name."""
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def sample(self, proxy: Proxy, arguments: Sequence[object], *, repeat: bool = True) -> Sample:
        """One window of load on the proxy, repeated (unless told not to) at most twice while the generator is the limit."""
        for _ in range(EXTRA_ROUNDS + 1 if repeat else 1):
            found = sample(proxy, self.backend_pid, arguments, seconds=self.seconds, warm=self.warm)
            if not found.generator_bound:
                break
        return found

    def interleave(self, subjects: Sequence[str], window: Callable[[str], Sample]) -> dict[str, list[Sample]]:
        """`rounds` rounds over all subjects, each round beginning with another one."""
        samples: dict[str, list[Sample]] = {name: [] for name in subjects}
        for turn in range(self.rounds):
            shift = turn % len(subjects)
            for name in [*subjects[shift:], *subjects[:shift]]:
                samples[name].append(window(name))
        return samples


@contextmanager
def backend(work: Path) -> Iterator[tuple[str, int]]:
    """The server behind the proxies, on the core of the generator: its address and process id."""
    work.mkdir(parents=True, exist_ok=True)
    with running(LOAD_CORE, [str(TOOL), "serve", "--listen", "127.0.0.1:0"], log=work / "backend.log") as process:
        assert process.stdout is not None  # noqa: S101 - `running` made it a pipe
        yield json.loads(process.stdout.readline())["listening"], process.pid


def say(text: str) -> None:
    """Progress, to stderr: stdout carries the table."""
    print(text, file=sys.stderr, flush=True)


def describe(samples: Sequence[Sample]) -> str:
    """User share, latencies and core shares of the median window, in one short line."""

    def middle(pick: Callable[[Sample], float]) -> float:
        return statistics.median(pick(entry) for entry in samples)

    user = middle(lambda entry: entry.user_share)
    p50, p99 = middle(lambda entry: entry.latency["p50"]), middle(lambda entry: entry.latency["p99"])
    proxy, load = middle(lambda entry: entry.proxy_busy), middle(lambda entry: entry.load_busy)
    other = middle(lambda entry: entry.foreign)
    rate = middle(lambda entry: entry.verified / entry.seconds)
    return (
        f"user {user:.0%}, {rate:,.0f}/s, p50 {p50 / 1e3:.2f} ms, p99 {p99 / 1e3:.2f} ms, "
        f"core 0 {proxy:.0%}, core 1 {load:.0%}, others {other:.0%}"
    )


def trouble(samples: Mapping[str, Sequence[Sample]]) -> str:
    """Why windows of load prove nothing; empty when they do."""
    reasons = []
    for name, windows in samples.items():
        errors = sum(entry.errors for entry in windows)
        bound = sum(entry.generator_bound for entry in windows)
        if errors:
            reasons.append(f"{name}: {errors} wrong or broken responses")
        if bound * 2 > len(windows):
            reasons.append(f"{name}: core 1 was full and the proxy was not in {bound} of {len(windows)} windows")
    return "; ".join(reasons)


def disturbed(samples: Mapping[str, Sequence[Sample]]) -> float:
    """Median share of a core that other processes took from the windows."""
    return statistics.median(entry.foreign for windows in samples.values() for entry in windows)
