"""How much of the time it works: availability in closed forms.

A unit fails at rate `fail` and is repaired at rate `repair`, both per hour (or any one unit of time): 1 / fail is its mean time to failure,
1 / repair the mean time of a repair, both exponential. Unavailability is 1 - availability; each form is the long run of a chain of rates,
and the tests solve that chain. Source of the forms: Trivedi, Probability and Statistics with Reliability, Queuing, and Computer Science
Applications (2nd ed. 2002), chapter 8; worked out anew here. Check values below are for fail = 1/1000 h and repair = 1/(2 h).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from forebay.model.chains import check_probability
from forebay.types import Malformed

HOURS_A_YEAR: Final = 8766.0


def single(fail: float, repair: float) -> float:
    """The availability of one unit: repair / (fail + repair). Check: 0.998003992."""
    _check_rates(fail=fail, repair=repair)
    return repair / (fail + repair)


def single_at(fail: float, repair: float, time: float) -> float:
    """The probability that a unit works `time` after it did: A + (1 - A) e^(-(fail + repair) time)."""
    if time < 0:
        raise Malformed(f"a time of {time:g} makes no sense", "give a number of 0 or more")
    steady = single(fail, repair)
    return steady + (1 - steady) * math.exp(-(fail + repair) * time)


def in_series(availabilities: Sequence[float]) -> float:
    """The availability of what needs all of its parts: their product."""
    for each in availabilities:
        check_probability("an availability", each)
    return math.prod(availabilities)


def k_of_n(needed: int, units: int, availability: float) -> float:
    """The availability of a pool that serves while at least `needed` of its `units` work, all alike and independent of one another.

    Sum over i from k to n of C(n, i) A^i (1 - A)^(n - i). Check: 0.999702 for 2 of 3 at 0.99.
    """
    check_probability("availability", availability)
    if not 0 <= needed <= units or units < 1:
        raise Malformed(f"{needed} of {units} units cannot be needed", "need as many as there are, at most")
    return math.fsum(math.comb(units, i) * availability**i * (1 - availability) ** (units - i) for i in range(needed, units + 1))


def pair_down(fail: float, repair: float, *, repairers: int = 2) -> float:
    """The unavailability of two units of which one is enough: (f/(f+r))^2 with a repairer each; 2f^2/(r^2 + 2fr + 2f^2) with one for both.

    Check: 3.98405e-6 and 7.96806e-6.
    """
    _check_rates(fail=fail, repair=repair)
    if repairers not in {1, 2}:
        raise Malformed(f"{repairers} repairers for two units", "give 1 or 2")
    if repairers == 2:  # noqa: PLR2004 - one for each of the two
        return (fail / (fail + repair)) ** 2
    return 2 * fail**2 / (repair**2 + 2 * fail * repair + 2 * fail**2)


@dataclass(frozen=True, slots=True)
class Standby:
    """The share of time of a hot standby pair in each state: both work, one works, switching over, not noticed, none works."""

    both: float
    one: float
    switching: float
    unnoticed: float
    none: float

    @property
    def down(self) -> float:
        """The unavailability: the time in which nothing serves."""
        return self.switching + self.unnoticed + self.none

    @property
    def minutes_a_year(self) -> float:
        """The same, in minutes a year, of rates per hour or any other unit."""
        return self.down * HOURS_A_YEAR * 60


def hot_standby(fail: float, repair: float, *, coverage: float, manual: float, switch: float) -> Standby:
    """A primary and a hot standby, which takes over at rate `switch` when a failure of the primary is noticed: with probability `coverage`.

    One that is not noticed waits for people, who come at rate `manual`. One repairer; nothing else fails while it switches or waits. With Z
    = 1 + 2f/r + fc/s + f(1-c)/m + 2f^2/r^2: both 1/Z, one 2f/(rZ), switching fc/(sZ), unnoticed f(1-c)/(mZ), none 2f^2/(r^2 Z). `switch`
    may be infinite. Check for coverage 0.95, manual 4/h, switch 1200/h: both 0.9959948144, switching 7.88496e-7, unnoticed 1.24499e-5, none
    7.96796e-6, down 2.12064e-5, which is 11.15 minutes a year; 2.04179e-5 when it switches at once. So coverage counts for more than speed.
    """
    _check_rates(fail=fail, repair=repair, manual=manual)
    check_probability("coverage", coverage)
    if not switch > 0:
        raise Malformed(f"a switch-over rate of {switch:g} makes no sense", "give a number above 0, or infinity")
    terms = {
        "both": 1.0,
        "one": 2 * fail / repair,
        "switching": fail * coverage / switch,
        "unnoticed": fail * (1 - coverage) / manual,
        "none": 2 * (fail / repair) ** 2,
    }
    total = math.fsum(terms.values())
    return Standby(**{state: term / total for state, term in terms.items()})


def pair_lifetime(fail: float, repair: float, *, coverage: float = 1.0) -> float:
    """The mean time until two hot units first serve nothing, with probability `coverage` that the first failure, of either, is survived.

    (f(1 + 2c) + r) / (2f(f + r(1 - c))); with c = 1 it is (3f + r)/(2f^2). Check: 251,500 h for c = 1, 9,671.154 h for 0.95, 1,000 h for
    0.5.
    """
    _check_rates(fail=fail, repair=repair)
    check_probability("coverage", coverage)
    return (fail * (1 + 2 * coverage) + repair) / (2 * fail * (fail + repair * (1 - coverage)))


def _check_rates(**rates: float) -> None:
    for name, rate in rates.items():
        if not 0 < rate < math.inf:
            raise Malformed(f"{name} is {rate:g}, which is no rate", "give a number above 0, such as 1 over the mean time in hours")
