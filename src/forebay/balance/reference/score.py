"""How a score policy picks, whatever the scores are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from forebay.balance.policies import SAMPLES, SCAN_LIMIT
from forebay.balance.reference.draws import Occasion, scale

DRAWS_PER_CHOICE: Final = 8
"""How often a sample is drawn anew, on average, before it is left out."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is the best score, and who is asked for it.

    Attributes:
        order: whether the least or the most is best.
        choices: how many endpoints are sampled; None for all of them, or 8 in a pool of more than 1,024.
        ties: which of those with exactly the best score: one drawn at random, or by turns.
    """

    order: Literal["least", "most"] = "least"
    choices: int | None = None
    ties: Literal["random", "rotate"] = "random"


def pick(rule: Rule, score: Callable[[int], float], eligible: Sequence[bool], occasion: Occasion) -> int | None:
    """The index of an eligible endpoint with the best score among those asked; None where nobody is eligible.

    A score that is infinite or no number is worse than every finite one, and as bad as any other such.
    """
    asked = candidates(rule.choices, eligible, occasion)
    scores = {index: score(index) for index in asked}
    finite = [index for index in asked if math.isfinite(scores[index])]
    if finite:
        best = (min if rule.order == "least" else max)(scores[index] for index in finite)
        asked = [index for index in finite if scores[index] == best]
    if not asked:
        return None
    number = occasion.turn % len(asked) if rule.ties == "rotate" else scale(occasion.draw(), len(asked))
    return asked[number]


def candidates(choices: int | None, eligible: Sequence[bool], occasion: Occasion) -> list[int]:
    """Who is asked for a score: all eligible in declared order, or those sampled, in the order sampled.

    Sub-draw `j = 0, 1, ...` is one index out of all; it counts if it is eligible and new. There are at most 8 draws per choice; where
    none of them counted, all eligible are asked.
    """
    everyone = [index for index, able in enumerate(eligible) if able]
    if not everyone:
        return []
    if choices is None:
        if len(eligible) <= SCAN_LIMIT:
            return everyone
        choices = SAMPLES
    sampled: list[int] = []
    for number in range(DRAWS_PER_CHOICE * choices):
        if len(sampled) == choices:
            break
        index = scale(occasion.sub_draw(number), len(eligible))
        if index not in sampled and eligible[index]:
            sampled.append(index)
    return sampled or everyone
