"""Policies as the command line names them."""

from __future__ import annotations

from typing import Final

from forebay.balance import Policy, parse
from forebay.simulate.balancers import Factory, Oracle
from forebay.simulate.native import native
from forebay.types import Malformed

ORACLE: Final = "oracle"
"""Names the balancer that knows everything."""
_OPEN: Final = "([{"
_CLOSED: Final = ")]}"


def split(text: str) -> list[str]:
    """`random, least(inflight, choices=2)` as its policies: cut at commas outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        depth += (letter in _OPEN) - (letter in _CLOSED) if not quote else 0
        if letter == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def factories(text: str, *, keys: bool = True) -> dict[str, Factory]:
    """The balancers that a list of policies names, by those names; `keys` says whether the requests have any.

    Raises Malformed for what is no policy or cannot be simulated, and for a list of none.
    """
    named: dict[str, Factory] = {each: Oracle if each == ORACLE else native(_parsed(each, keys=keys)) for each in split(text)}
    if not named:
        raise Malformed("no policy is named", 'write --policies "shortest_expected_delay, least_connections"')
    return named


def _parsed(text: str, *, keys: bool) -> Policy:
    policy = parse(text)
    if policy.kind == "consistent_hash" and not keys:
        said = f'"{text}" goes by the keys of requests, which have none in this case'
        raise Malformed(said, "take the preset keys or caches, or name another policy")
    return policy
