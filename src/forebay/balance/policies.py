"""The catalogue of policies, and the parser of the `balance` key.

A policy says how one of a pool's endpoints is picked. The three here are *structural*: native code in the engine, described by their
name alone. `balance` is read with Python's own grammar, of which a bare name and a call without arguments are understood.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from forebay.types import Malformed


@dataclass(frozen=True, slots=True)
class Policy:
    """One way to pick: its name, its meaning in one line, and `spec`, what the engine is told (its `PolicySpec` in JSON)."""

    name: str
    meaning: str
    spec: str


POLICIES: Final[Mapping[str, Policy]] = MappingProxyType(
    {
        policy.name: policy
        for policy in (
            Policy(
                "weighted_round_robin",
                "By turns in proportion to the weights, evenly spread; plain turns where they are equal.",
                "weighted_round_robin",
            ),
            Policy("weighted_random", "Independent random picks in proportion to the weights.", "weighted_random"),
            Policy("random", "Independent random picks, every endpoint alike.", "random"),
        )
    }
)
DEFAULT: Final = "weighted_round_robin"


def parse(text: str) -> Policy:
    """The policy that a `balance` key names: `random` or `random()`.

    Raises Malformed for an unknown name, for arguments (no policy takes any yet) and for any other expression.
    """
    hint = f"write one of {', '.join(POLICIES)}"
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise Malformed(f'"{text}" is no name of a policy', hint) from None
    call = node if isinstance(node, ast.Call) else None
    name = call.func if call else node
    if not isinstance(name, ast.Name):
        raise Malformed(f'"{text}" is no name of a policy', hint)
    policy = POLICIES.get(name.id)
    if policy is None:
        near = difflib.get_close_matches(name.id, POLICIES, n=1)
        raise Malformed(f'unknown policy "{name.id}"', f'did you mean "{near[0]}"?' if near else hint)
    if call and (call.args or call.keywords):
        raise Malformed(f'the policy "{policy.name}" takes no arguments', f'write "{policy.name}"')
    return policy
