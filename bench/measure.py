"""What a row finds: one line of the table, with the verdict against its bar."""

import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.peers import RIVALS

DISTURBED = 0.15
"""From this share of a core on, other processes make a line doubtful: their cache misses and delays are in it."""


@dataclass
class Line:
    """One line of the table."""

    key: str
    work: str
    unit: str
    values: dict[str, list[float]]
    """Measured values of each proxy, one a round, in the order of the rounds; the lower the better."""
    bar: float
    aim: float | None = None
    against_rivals: bool = True
    """True: the bar is a ratio to the cheaper rival. False: it is a value in `unit`."""
    notes: dict[str, str] = field(default_factory=dict)
    """What else is worth knowing, by proxy."""
    invalid: str = ""
    """Why the line proves nothing; empty when it does."""
    disturbance: float = 0.0
    """Share of a core that processes outside the measurement took."""

    def median(self, proxy: str) -> float | None:
        """Median over the rounds; None if the proxy was not measured."""
        rounds = self.values.get(proxy)
        return statistics.median(rounds) if rounds else None

    @property
    def rival(self) -> str | None:
        """The cheaper of nginx and HAProxy."""
        return cheaper(self.values)

    @property
    def score(self) -> float | None:
        """What is held against the bar: Forebay's ratio to the cheaper rival, or its value."""
        own = self.median("forebay")
        if own is None or not self.against_rivals:
            return own
        rival = self.rival
        return own / statistics.median(self.values[rival]) if rival else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % bootstrap interval of the ratio, rounds drawn with replacement; None where there is no ratio."""
        rival = self.rival
        if not self.against_rivals or rival is None or "forebay" not in self.values:
            return None
        return bootstrap(self.values["forebay"], self.values[rival])

    @property
    def verdict(self) -> str:
        """`pass` or `FAIL` (both perhaps disturbed), `INVALID`, or `-` where Forebay or its rivals were not measured."""
        if self.invalid:
            return "INVALID"
        if self.score is None:
            return "-"
        word = "pass" if self.score <= self.bar else "FAIL"
        return f"{word} (disturbed)" if self.disturbance > DISTURBED else word


def cheaper(values: Mapping[str, Sequence[float]]) -> str | None:
    """The rival with the lower median."""
    present = [name for name in RIVALS if values.get(name)]
    return min(present, key=lambda name: statistics.median(values[name]), default=None)


def bootstrap(own: Sequence[float], rival: Sequence[float], draws: int = 2000) -> tuple[float, float]:
    """2.5 % and 97.5 % quantiles of the ratio of medians; the same rounds are drawn for both, as they were run together."""
    generator = random.Random(1)
    count = min(len(own), len(rival))
    ratios = []
    for _ in range(draws):
        rounds = generator.choices(range(count), k=count)
        ratios.append(statistics.median(own[at] for at in rounds) / statistics.median(rival[at] for at in rounds))
    ratios.sort()
    return ratios[int(draws * 0.025)], ratios[int(draws * 0.975)]
