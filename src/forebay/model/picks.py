"""The probability with which each policy picks each endpoint, given what it sees.

Each is the formula, not a count of picks; tests hold them against 100,000 picks of the reference and of the engine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forebay.balance.expression import Expression, from_wire
from forebay.balance.parse import parse
from forebay.balance.policies import SAMPLES, SCAN_LIMIT
from forebay.balance.policy import Made, policy_of
from forebay.balance.reference.structural import units
from forebay.model.state import State
from forebay.types import Malformed

Shares = NDArray[np.float64]
Spec = Mapping[str, Any]


def pick_probability(policy: Made | str, state: State) -> Shares:
    """The probability of each endpoint to be the next pick; shape (n,), the sum 1, or all 0 where no endpoint may be picked.

    `policy` is a policy of `forebay.balance`, or what a `balance` key holds. For policies that take turns it is the share of turns as long
    as the state stays as it is; for `consistent_hash`, the share of keys, over all keys and all seeds of the hash. Of those that may be
    picked (eligible, and of a weight above 0):

    - round_robin, random: 1/n.
    - weighted_round_robin, weighted_random, consistent_hash: w / sum of w. With `bounded_load`, among those that are within their bound.
    - least and most: 1/k for the k that share the best score, 0 for all others (`scores` and `best_of_samples` say more).
    - first_available: 1 for the first below the limit; where all have reached it, for the first of those with least in flight.

    Source: the formula of weights is P(s) = w(s) / sum of w; the others follow from what a pick is.
    Raises Malformed for a Python callable, whose picks no formula knows, and for a text that is no policy.
    """
    spec = (parse(policy) if isinstance(policy, str) else policy_of(policy)).spec
    kind = str(spec["kind"])
    if kind not in _FORMULAS:
        raise Malformed("what a Python callable picks has no formula", "see what it does with: forebay simulate")
    if not state.able.any():
        return np.zeros(len(state))
    return _FORMULAS[kind](spec, state)


def scores(expression: Expression, state: State) -> NDArray[np.float64]:
    """The score that an expression gives each endpoint, shape (n,), in the expression's own unit; NaN and infinities as they come."""
    columns = {name: state.column(name) for name in expression.fields()}
    return np.array([expression.value({name: float(column[index]) for name, column in columns.items()}) for index in range(len(state))])


def best_of_samples(ranks: NDArray[np.int64], choices: int, endpoints: int) -> Shares:
    """The probability of each to win where `choices` are sampled and the best of them is picked: power of d choices. Shape (k,).

    `ranks` (k,) orders those that may be picked, the lowest the best, equal ranks tie; `endpoints` counts those that may not be picked too.
    With B better and T of its own rank, itself included, one of m sampled wins with (C(k-B, m) - C(k-B-T, m)) / (C(k, m) T): none of the
    better is among them, some of its own rank is, and these share. Sampling stops at `choices` different ones or after 8 `choices` draws,
    so m is almost always `choices`, or k where there are fewer; its exact distribution is used. With m = 0 all are scanned.
    """
    k = len(ranks)
    sampled = _sampled(k, choices, endpoints)
    shares = np.zeros(k)
    for rank, tied in zip(*np.unique(ranks, return_counts=True), strict=True):
        rest = k - int((ranks < rank).sum())
        wins = sum(
            share * ((math.comb(rest, m) - math.comb(rest - int(tied), m)) / math.comb(k, m))
            for m, share in enumerate(sampled)
            if m and share
        )
        shares[ranks == rank] = (wins + sampled[0] * (rank == ranks.min())) / tied
    return shares


def _sampled(k: int, choices: int, endpoints: int) -> list[float]:
    """The probability to have sampled 0, 1, ... different ones when it stops: each draw finds a new one with (k - found) / endpoints."""
    most = min(choices, k)
    found = [1.0] + [0.0] * most
    for _ in range(8 * choices):
        for have in range(most, 0, -1):
            new = (k - have + 1) / endpoints
            stays = 1.0 if have == choices else 1 - (k - have) / endpoints
            found[have] = found[have] * stays + found[have - 1] * new
        found[0] *= 1 - k / endpoints
    return found


def _alike(_spec: Spec, state: State) -> Shares:
    return np.where(state.able, 1 / state.able.sum(), 0.0)


def _by_weight(_spec: Spec, state: State) -> Shares:
    return _portion(state, state.able)


def _portion(state: State, among: NDArray[np.bool_]) -> Shares:
    units_among = np.where(among, _units(state), 0.0)
    return np.asarray(units_among / units_among.sum(), dtype=np.float64)


def _units(state: State) -> Shares:
    """Weights as structural policies count them, in whole thousandths, at least one; shape (n,)."""
    return np.array([float(units(weight)) for weight in state.weight])


def _by_score(spec: Spec, state: State) -> Shares:
    able = state.able
    score = scores(from_wire(spec["expression"]), state)[able]
    # Ranks of the distinct scores, best first; a score that is not finite is worse than all that are. Minus 0 equals 0.
    score = np.where(np.isfinite(score), score if spec["order"] == "least" else -score, math.inf)
    ranks = np.unique(score, return_inverse=True)[1].astype(np.int64)
    choices = spec["choices"] or (SAMPLES if len(state) > SCAN_LIMIT else None)
    shares = np.zeros(len(state))
    shares[able] = (ranks == 0) / (ranks == 0).sum() if choices is None else best_of_samples(ranks, choices, len(state))
    return shares


def _first(spec: Spec, state: State) -> Shares:
    able, inflight, limit = state.able, state.column("inflight"), spec["limit"]
    below = able if limit is None else able & (inflight < limit)
    shares = np.zeros(len(state))
    shares[int(np.argmax(below) if below.any() else np.argmin(np.where(able, inflight, math.inf)))] = 1.0
    return shares


def _by_key(spec: Spec, state: State) -> Shares:
    bound = spec["bounded_load"]
    if bound is None:
        return _portion(state, state.able)
    able, inflight, shares = state.able, state.column("inflight"), _units(state)
    room = np.ceil(bound * (inflight[able].sum() + 1) * shares / shares[able].sum())
    return _portion(state, able & (inflight + 1 <= room))


_FORMULAS: Final[Mapping[str, Callable[[Spec, State], Shares]]] = {
    "round_robin": _alike,
    "weighted_round_robin": _by_weight,
    "random": _alike,
    "weighted_random": _by_weight,
    "first_available": _first,
    "score": _by_score,
    "consistent_hash": _by_key,
}
