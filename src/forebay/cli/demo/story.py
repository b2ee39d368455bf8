"""What has happened in the demo so far, and the verdict at its end. No clock, no sockets: everything is told to it."""

from collections import deque
from dataclasses import dataclass, field

from forebay.cli.demo.load import Answer
from forebay.observe.statistics import EndpointStatistics, PoolStatistics

_WINDOW = 2.0  # seconds over which the share is counted


@dataclass
class Story:
    """Requests, losses and events. `victim` is the server that is killed and brought back."""

    names: list[str]
    victim: str
    latencies: dict[str, list[float]] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)
    killed: float | None = None
    passed_over: float | None = None
    restarted: float | None = None
    back: float | None = None
    pool: PoolStatistics | None = None
    _recent: deque[tuple[float, str]] = field(default_factory=deque)

    @property
    def answered(self) -> int:
        """Requests answered in full."""
        return sum(map(len, self.latencies.values()))

    @property
    def total(self) -> int:
        """Requests, answered or lost."""
        return self.answered + len(self.losses)

    def note(self, answer: Answer, now: float) -> None:
        """A request has ended."""
        if answer.server is None:
            self.losses.append(answer.lost or "unknown")
            if len(self.losses) == 1:
                self._event(now, f"a request was lost: {self.losses[0]}")
            return
        self.latencies.setdefault(answer.server, []).append(answer.seconds)
        self._recent.append((now, answer.server))
        if answer.server == self.victim and self.restarted is not None and self.back is None:
            self.back = now
            self._event(now, f"{self.victim} serves again")

    def observe(self, pool: PoolStatistics, now: float) -> None:
        """The gateway's own counters have been read."""
        self.pool = pool
        while self._recent and self._recent[0][0] < now - _WINDOW:
            self._recent.popleft()
        if self.killed is not None and self.passed_over is None and pool.endpoints[self.victim].status == "ejected":
            self.passed_over = now
            self._event(now, f"{self.victim} is passed over: {pool.endpoints[self.victim].reason}")

    def kill(self, now: float, pid: int) -> None:
        """The victim has been killed."""
        self.killed = now
        self._event(now, f"{self.victim} killed (kill -9 {pid})")

    def restart(self, now: float) -> None:
        """The victim listens again."""
        self.restarted = now
        self._event(now, f"{self.victim} started again")

    def endpoint(self, name: str) -> EndpointStatistics | None:
        """What the gateway last said of a server."""
        return self.pool.endpoints[name] if self.pool is not None else None

    def share(self, name: str) -> float:
        """The server's part (0..1) of the answers of the last two seconds."""
        return sum(server == name for _, server in self._recent) / len(self._recent) if self._recent else 0.0

    def quantile(self, name: str, share: float) -> float | None:
        """The seconds within which `share` of a server's answers came, as the client measured them."""
        ordered = sorted(self.latencies.get(name, []))
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else None

    @property
    def good(self) -> bool:
        """Whether everything went as the demo promises: requests were made, none was lost, and the victim died and came back."""
        return self.answered > 0 and not self.losses and self.killed is not None and self.back is not None

    def verdict(self) -> list[str]:
        """The last lines: the numbers first, then what happened."""
        lines = [f"{self.total} requests, {len(self.losses)} lost"]
        victim = self.endpoint(self.victim)
        if self.killed is not None and victim is not None and self.pool is not None:
            attempts = f"{victim.failures} attempts on it failed, {self.pool.retries} were repeated elsewhere"
            lines.append(f"  {self.victim} was killed at {self.killed:.1f} s: {attempts}")
        if self.restarted is not None:
            ending = f"served again {self.back - self.restarted:.1f} s later" if self.back is not None else "did not serve again"
            lines.append(f"  it was started again at {self.restarted:.1f} s and {ending}")
        if self.losses:
            lines += [f"  lost: {self.losses.count(reason)} x {reason}" for reason in dict.fromkeys(self.losses)]
        return lines

    def _event(self, now: float, text: str) -> None:
        self.events.append((now, text))
