"""The primary-backup method as a chain: one server serves, the next takes over when it fails.

States are in the order of the matrix that the method is known by: state 1 (row 0), the last backup serves, and nothing comes after it;
state 2 (row 1), the primary serves. With more backups, row i is the state in which i more servers stand before the last one. A step is any
fixed time, such as a second or an hour; `p` is the probability that the server which serves fails within one.
"""

from __future__ import annotations

import math

import numpy as np

from forebay.model.chains import Matrix, check_probability
from forebay.types import Malformed


def primary_backup(p: float, repair: float = 0.0, backups: int = 1) -> Matrix:
    """The failover matrix, shape (backups + 1, backups + 1); the last row is where the primary serves.

    With one backup and no repair it is [[1, 0], [p, 1 - p]]: the backup serves for ever once the primary has failed. `repair` is the
    probability per step that the server which failed last is back and serves again: [[1 - r, r], [p, 1 - p]]. With more backups at most one
    of the two happens in a step, so that p + repair is at most 1. Check: primary_backup(0.1) to the power 2 is [[1, 0], [0.19, 0.81]].
    Raises Malformed where p or repair is no probability, where together they are above 1 for two backups or more, and for no backup.
    """
    check_probability("p", p)
    check_probability("repair", repair)
    if backups < 1:
        raise Malformed(f"{backups} backups cannot take over", "give a number of 1 or more")
    if backups > 1 and p + repair > 1:
        raise Malformed("p and repair together are above 1, but at most one of them happens in a step", "take a shorter step")
    matrix = np.zeros((backups + 1, backups + 1))
    for state in range(backups + 1):
        fails = p if state else 0.0
        returns = repair if state < backups else 0.0
        matrix[state, state] = 1 - fails - returns
        if state:
            matrix[state, state - 1] = fails
        if state < backups:
            matrix[state, state + 1] = returns
    return matrix


def primary_serves(p: float, steps: int, repair: float = 0.0) -> float:
    """The probability that the primary serves so many steps after it began to: r/(p+r) + p/(p+r) (1 - p - r)^steps, of one backup.

    Without repair it is (1 - p)^steps. Check: 0.81 after 2 steps of p = 0.1; with repair 0.5 it is 0.5/0.6 = 0.8333 in the long run.
    """
    check_probability("p", p)
    check_probability("repair", repair)
    if steps < 0:
        raise Malformed(f"{steps} steps make no sense", "give a number of 0 or more")
    if p + repair == 0:
        return 1.0
    stays = repair / (p + repair)
    return float(stays + (1 - stays) * (1 - p - repair) ** steps)


def steps_to_takeover(p: float) -> float:
    """The mean number of steps until the backup takes over: 1/p; the number is geometric. Infinite for p = 0."""
    check_probability("p", p)
    return 1 / p if p else math.inf


def steps_to_last(p: float, backups: int) -> float:
    """The mean number of steps until the last of several backups serves, without repair: backups/p."""
    return backups * steps_to_takeover(p)


def steps_certain(p: float, share: float) -> float:
    """The number of steps after which the backup has taken over with probability `share` (below 1): ln(1 - share) / ln(1 - p), rounded up.

    Check: 22 steps for p = 0.1 and a share of 0.9. Infinite for p = 0.
    """
    check_probability("p", p)
    if not 0 <= share < 1:
        raise Malformed(f"{share:g} is no share that is reached", "give a number from 0 to below 1")
    if p in {0.0, 1.0}:
        return math.inf if p == 0 and share else float(p == 1)
    return float(math.ceil(math.log1p(-share) / math.log1p(-p)))
