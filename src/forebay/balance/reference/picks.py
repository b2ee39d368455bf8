"""Picks of any policy from its wire form: what `forebay._engine.picks` computes, slowly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from forebay.balance.expression import from_wire
from forebay.balance.reference import score, structural
from forebay.balance.reference.draws import MASK, Occasion
from forebay.balance.reference.tables import ConsistentHash


@dataclass(frozen=True, slots=True)
class State:
    """A pool at the moment of a pick.

    Attributes:
        endpoints: id and effective weight of each, in declared order.
        columns: the values of each field that a policy reads, one per endpoint; where missing, zeros.
        eligible: whether each may be picked.
    """

    endpoints: Sequence[tuple[str, float]]
    columns: Mapping[str, Sequence[float]]
    eligible: Sequence[bool]

    @property
    def weights(self) -> list[float]:
        """The effective weights."""
        return [weight for _, weight in self.endpoints]

    @property
    def inflight(self) -> Sequence[float]:
        """Requests on each; 0 where no column says."""
        return self.columns.get("inflight") or [0.0] * len(self.endpoints)


def picks(  # noqa: PLR0913, PLR0917 - the same as the engine's
    policy: Mapping[str, Any],
    endpoints: Sequence[tuple[str, float]],
    columns: Mapping[str, Sequence[float]],
    eligible: Sequence[bool],
    seed: int,
    turn: int,
    count: int,
    key: int | None,
) -> list[int | None]:
    """The indices of `count` picks in a row, on a state that stays as it is; None where nobody is eligible.

    Args:
        policy: the wire form of a policy.
        endpoints: id and effective weight of each.
        columns: the values of each field that the policy reads, one per endpoint; a column that is missing is all zeros, and `weight` is
            that of the endpoints.
        eligible: whether each may be picked; an endpoint of weight 0 never may.
        seed: the pool's, 64 bits.
        turn: the number of the first pick, 64 bits; each uses up its own and those that it passes by.
        count: how many picks.
        key: the hash of the requests' key, 64 bits, or None without one.

    Raises Malformed for an expression that is none, ValueError for a policy of an unknown kind.
    """
    able = [allowed and weight > 0 for allowed, (_, weight) in zip(eligible, endpoints, strict=True)]
    state = State(endpoints, columns, able)
    picked: list[int | None] = []
    for _ in range(count):
        found = pick(policy, state, Occasion(seed, turn, key))
        picked.append(found and found[0])
        turn = (found[1] if found else turn + 1) & MASK
    return picked


def pick(policy: Mapping[str, Any], state: State, occasion: Occasion) -> tuple[int, int] | None:
    """The pick of an occasion and the number of the next; None where nobody is eligible."""
    match policy["kind"]:
        case "round_robin":
            return structural.round_robin(state.weights, state.eligible, occasion.turn)
        case "weighted_round_robin":
            return structural.WeightedRoundRobin(state.weights).pick(state.eligible, occasion)
        case "python":
            return pick(policy["fallback"], state, occasion)
        case "consistent_hash" if occasion.key is None:
            return pick(policy["fallback"], state, occasion)
    found = _without_turns(policy, state, occasion)
    return None if found is None else (found, occasion.turn + 1)


def _without_turns(policy: Mapping[str, Any], state: State, occasion: Occasion) -> int | None:
    match policy["kind"]:
        case "random":
            return structural.random(state.weights, state.eligible, occasion)
        case "weighted_random":
            return structural.weighted_random(state.weights, state.eligible, occasion)
        case "first_available":
            return structural.first_available(state.weights, state.eligible, state.inflight, policy["limit"])
        case "consistent_hash":
            table = ConsistentHash(policy["table"], policy["bounded_load"], state.endpoints, occasion.seed)
            return table.pick(state.eligible, state.inflight, occasion)
        case "score":
            return _by_score(policy, state, occasion)
    raise ValueError(f"{policy['kind']!r} is no kind of policy")


def _by_score(policy: Mapping[str, Any], state: State, occasion: Occasion) -> int | None:
    expression = from_wire(policy["expression"])
    rule = score.Rule(policy["order"], policy["choices"], policy["ties"])
    columns = {**state.columns, "weight": state.weights}

    def value(index: int) -> float:
        return expression.value({name: columns[name][index] if name in columns else 0.0 for name in expression.fields()})

    return score.pick(rule, value, state.eligible, occasion)
