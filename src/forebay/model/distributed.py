"""The distributed method as a chain: n servers share the work, and those that are left take the share of one that fails.

State k (row k) is that k servers are up, from 0 to n. In each step, any fixed time, each server that is up fails with probability p, each
that is down is back with probability `repair`, all independently of one another.
"""

from __future__ import annotations

import math

import numpy as np

from forebay.model.chains import Matrix, check_probability
from forebay.types import Malformed


def distributed(servers: int, p: float, repair: float = 0.0) -> Matrix:
    """The failover matrix, shape (servers + 1, servers + 1): row k is Binomial(k, 1 - p) of those that stay up.

    With repair, those that come back are added: the convolution with Binomial(servers - k, repair). Row 0 is absorbing without it.
    Check: distributed(2, 0.1) is [[1, 0, 0], [0.1, 0.9, 0], [0.01, 0.18, 0.81]].
    Raises Malformed where p or repair is no probability, and for no server.
    """
    check_probability("p", p)
    check_probability("repair", repair)
    _check_servers(servers)
    rows = [np.convolve(_binomial(up, 1 - p), _binomial(servers - up, repair)) for up in range(servers + 1)]
    return np.array(rows)


def servers_up(servers: int, p: float, steps: int) -> Matrix:
    """The distribution of how many are up after so many steps without repair, all having been up: Binomial(servers, (1 - p)^steps).

    Shape (servers + 1,). It is the last row of the matrix to that power.
    """
    check_probability("p", p)
    _check_servers(servers)
    if steps < 0:
        raise Malformed(f"{steps} steps make no sense", "give a number of 0 or more")
    return _binomial(servers, (1 - p) ** steps)


def servers_up_in_the_long_run(servers: int, p: float, repair: float) -> Matrix:
    """The distribution of how many are up in the long run: Binomial(servers, repair/(p + repair)), shape (servers + 1,).

    Each server is a chain of two states on its own. Raises Malformed where neither failures nor repairs happen.
    """
    check_probability("p", p)
    check_probability("repair", repair)
    _check_servers(servers)
    if p + repair == 0:
        raise Malformed("without failures and repairs nothing changes in the long run", "give p or repair above 0")
    return _binomial(servers, repair / (p + repair))


def steps_to_none(servers: int, p: float) -> float:
    """The mean number of steps until none is up, without repair: sum over j of (-1)^(j+1) C(n, j) / (1 - (1 - p)^j).

    The largest of n geometric times, as the sum over all steps of 1 - (1 - (1-p)^step)^n, which cancels nothing. Infinite for p = 0.
    Check: 1/p for one server; 8/3 for two at p = 0.5.
    Source: Szpankowski and Rego, Yet another application of a binomial recurrence: order statistics (1990).
    """
    check_probability("p", p)
    _check_servers(servers)
    if p == 0:
        return math.inf
    mean, alive = 0.0, 1.0
    while (term := -math.expm1(servers * math.log1p(-alive)) if alive < 1 else 1.0) > 1e-12 * mean * p:
        mean += term
        alive *= 1 - p
    return mean


def share_each_takes(servers: int, failed: int) -> float:
    """By which factor the load of a server that is left grows when `failed` of them fail: n / (n - failed). Infinite when none is left."""
    _check_servers(servers)
    if not 0 <= failed <= servers:
        raise Malformed(f"{failed} of {servers} servers cannot fail", "give a number from 0 to that of the servers")
    return servers / (servers - failed) if failed < servers else math.inf


def _binomial(count: int, share: float) -> Matrix:
    """The probability of each number from 0 to `count`, shape (count + 1,)."""
    return np.array([math.comb(count, each) * share**each * (1 - share) ** (count - each) for each in range(count + 1)])


def _check_servers(servers: int) -> None:
    if servers < 1:
        raise Malformed(f"{servers} servers make no pool", "give a number of 1 or more")
