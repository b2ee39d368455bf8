"""What failover is made of: chains of states, in steps (a matrix of probabilities) or in time (a matrix of rates).

A matrix of steps has shape (n, n): row i holds the probability to be in each state one step after state i, so its sum is 1. A matrix of
rates holds, off its diagonal, how often a second (or an hour; any one unit) the chain moves from i to j; each row sums to 0. Source: Kemeny
and Snell, Finite Markov Chains (1960), chapters 3 and 4.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from forebay.types import Malformed

Matrix = NDArray[np.float64]

_ROUNDING = 1e-9


def after(matrix: Matrix, steps: int) -> Matrix:
    """The probabilities after `steps` steps, shape (n, n): row i is where a chain then is that began in state i. The matrix to that power.

    Raises Malformed where the matrix is none of probabilities, and for a negative number of steps.
    """
    check_steps(matrix)
    if steps < 0:
        raise Malformed(f"{steps} steps make no sense", "give a number of 0 or more")
    return np.linalg.matrix_power(matrix, steps)


def mean_steps(matrix: Matrix, target: Collection[int]) -> Matrix:
    """The mean number of steps until the chain is first in a state of `target`, from each state, shape (n,).

    0 from the target itself, infinite from where the target may never be reached. t = 1 + Q t over the states outside of the target.
    Raises Malformed where the matrix is none of probabilities, or where `target` names none of its states.
    """
    check_steps(matrix)
    count = len(matrix)
    if not target or not all(0 <= state < count for state in target):
        raise Malformed("the target is no state of the chain", f"name one or more of the states 0 to {count - 1}")
    outside = sorted(set(range(count)) - set(target) - _may_miss(matrix, target))
    times = np.full(count, math.inf)
    times[list(target)] = 0.0
    if outside:
        stays = np.eye(len(outside)) - matrix[np.ix_(outside, outside)]
        times[outside] = np.linalg.solve(stays, np.ones(len(outside)))
    return times


def long_run(matrix: Matrix) -> Matrix:
    """The share of steps that the chain spends in each state in the long run, shape (n,), where it is the same from all states.

    Raises Malformed where it is not: the chain has two or more parts that it never leaves.
    """
    check_steps(matrix)
    return _balanced(matrix - np.eye(len(matrix)))


def long_run_of_rates(rates: Matrix) -> Matrix:
    """The share of time in each state in the long run, shape (n,), of a matrix of rates. Raises Malformed as long_run does."""
    square = rates.ndim == 2 and rates.shape[0] == rates.shape[1] > 0  # noqa: PLR2004
    if not square or np.abs(rates.sum(axis=1)).max() > _ROUNDING * np.abs(rates).max():
        raise Malformed("this is no matrix of rates", "make it square, each row with the sum 0")
    return _balanced(rates)


def check_steps(matrix: Matrix) -> None:
    """Raise Malformed unless the matrix is square and each of its rows is a distribution."""
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] > 0  # noqa: PLR2004
    if not square or matrix.min() < 0 or np.abs(matrix.sum(axis=1) - 1).max() > _ROUNDING:
        raise Malformed("this is no matrix of probabilities", "make it square, with numbers from 0 to 1 and each row with the sum 1")


def check_probability(name: str, value: float) -> None:
    """Raise Malformed unless the value is a probability."""
    if not 0 <= value <= 1:
        raise Malformed(f"{name} is no probability: {value:g}", "give a number from 0 to 1")


def _may_miss(matrix: Matrix, target: Collection[int]) -> set[int]:
    """The states from which the chain may come to where no way leads to the target."""
    reaches = _leads_to(matrix, set(target))
    lost = set(range(len(matrix))) - reaches
    blocked = matrix.copy()
    blocked[list(target)] = 0.0
    return _leads_to(blocked, lost)


def _leads_to(matrix: Matrix, goal: set[int]) -> set[int]:
    """The states from which some way leads to one of `goal`, itself included."""
    found = set(goal)
    while True:
        more = {int(state) for state in np.flatnonzero(matrix[:, sorted(found)].any(axis=1))} - found if found else set()
        if not more:
            return found
        found |= more


def _balanced(flow: Matrix) -> Matrix:
    """The distribution x with x flow = 0."""
    count = len(flow)
    scale = np.abs(flow).max() or 1.0
    if np.linalg.matrix_rank(flow / scale) < count - 1:
        raise Malformed("the long run depends on where the chain begins", "see where it is after so many steps instead")
    equations = np.vstack([flow.T / scale, np.ones(count)])
    found = np.linalg.lstsq(equations, np.append(np.zeros(count), 1.0), rcond=None)[0]
    return np.asarray(np.clip(found, 0.0, 1.0), dtype=np.float64)
