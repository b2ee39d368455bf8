"""The linter's rules about a pool's policy: scores that a new endpoint breaks, weights without effect, keys that never occur."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from forebay.balance import FRESH, Expression, Policy
from forebay.balance.expression import Operation
from forebay.config.pools import Pool
from forebay.config.routes import Match
from forebay.config.schema import GatewayConfig
from forebay.config.words import Found

_FORWARDING: Final = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"})
_ONLY_IN_ANSWERS: Final = frozenset(
    {
        "accept-ranges",
        "age",
        "etag",
        "last-modified",
        "location",
        "proxy-authenticate",
        "proxy-status",
        "retry-after",
        "server",
        "set-cookie",
    }
    | {"vary", "www-authenticate"}
)
_WEIGHED: Final = {"random": 'write "weighted_random"', "round_robin": 'write "weighted_round_robin"', "first_available": "leave them out"}


def policy_findings(config: GatewayConfig) -> Iterator[Found]:
    """What is legal but probably not meant about the policies of all pools."""
    for name, pool in config.pools.items():
        said = [*_weights(pool), *_whole_pool(pool)]
        for policy in _with_fallbacks(pool.balance):
            said += [*_scores(policy, pool), *_keys(policy, config, name)]
        yield from ((("pools", name, "balance"), message, hint) for message, hint in said)


Said = Iterator[tuple[str, str]]


def _with_fallbacks(policy: Policy | None) -> Iterator[Policy]:
    while policy is not None:
        yield policy
        policy = policy.fallback


def _weights(pool: Pool) -> Said:
    policy = pool.balance
    if len({endpoint.weight for endpoint in pool.endpoints if endpoint.weight}) < 2:  # noqa: PLR2004 - alike
        return
    if policy.kind in _WEIGHED:
        yield f'"{policy}" takes no account of the weights', _WEIGHED[policy.kind]
    elif policy.expression is not None and "weight" not in policy.expression.fields():
        how = "multiply" if policy.spec["order"] == "most" else "divide"
        yield "the score has no weight in it, so that the endpoints' weights have no effect", f"{how} by weight"


def _whole_pool(pool: Pool) -> Said:
    policy = pool.balance
    if policy.kind == "first_available" and policy.spec["limit"] is None and pool.max_inflight is None and len(pool.endpoints) > 1:
        yield (
            "without a limit the first endpoint that may serve takes every request",
            "write first_available(limit=100), or give max_inflight",
        )


def _scores(policy: Policy, pool: Pool) -> Said:
    expression = policy.expression
    if expression is None:
        return
    if not expression.fields():
        yield f'"{policy}" gives every endpoint the same score', 'write "random", or score by a field'
    if policy.spec["choices"] == 1:
        yield f'"{policy}" draws one endpoint, so that its score is never compared', "draw 2 or more, or none"
    fresh = {name: 0.0 for name in expression.fields() if name not in FRESH} | dict(FRESH)
    for weight in sorted({endpoint.weight for endpoint in pool.endpoints if endpoint.weight}):
        fields = {**fresh, "weight": float(weight)}
        part = _broken(expression, fields)
        if part is not None:
            known = ", ".join(f"{name} {fields[name]:g}" for name in sorted(part.fields()))
            said = f'"{part}" is {part.value(fields)} for an endpoint that has just joined ({known})'
            never = ", so that it gets nothing while others may serve" if not math.isfinite(expression.value(fields)) else ""
            yield said + never, _finite(part)
            return


def _broken(expression: Expression, fields: Mapping[str, float]) -> Expression | None:
    """The innermost part that is no finite number although its own parts are."""
    for part in expression.parts():
        found = _broken(part, fields)
        if found is not None:
            return found
    return None if math.isfinite(expression.value(fields)) else expression


def _finite(part: Expression) -> str:
    match part:
        case Operation(operator="/", operands=(_, divisor)):
            return f"divide by max({divisor}, 0.001), say"
        case Operation(operator="log", operands=(inner,)):
            return f"write log(max({inner}, 0.001)), say"
        case _:
            return "keep its parts in bounds with clamp"


def _keys(policy: Policy, config: GatewayConfig, pool: str) -> Said:
    key = policy.arguments.get("key")
    if not isinstance(key, str):
        return
    kind, _, name = key.partition(":")
    if kind == "header" and name in _ONLY_IN_ANSWERS:
        yield f'no request has the field "{name}", so that every pick falls back to {policy.fallback}', "name a field that clients send"
    if kind == "header" and name in _FORWARDING and not config.trusted_proxies:
        said = f'"{name}" is whatever a client writes while trusted_proxies is empty, so that clients choose their endpoint'
        yield said, "hash by client_ip, or name the proxies in front in trusted_proxies"
    if policy.fallback is not None and policy.fallback.arguments.get("key") == key:
        yield f'the fallback hashes by "{key}" too, which is missing whenever it is asked', "fall back to another key or policy"
    values = {value for route in config.all_routes if route.pool == pool for value in _matched(route.match, kind, name)}
    if len(values) == 1 and None not in values:
        yield f'"{key}" is "{values.pop()}" in every request that comes here, so that all go to one endpoint', "hash by what differs"


def _matched(match: Match, kind: str, name: str) -> tuple[str | None, ...]:
    """The values that a key may have where a route matches; a None among them stands for many."""
    if kind == "path":
        found: tuple[str | None, ...] = match.path
    elif kind == "header" and name == "host":
        found = match.host
    else:
        found = ({"header": match.header, "query": match.query}.get(kind, {}).get(name),)
    return tuple(None if value is None or "*" in value or value.startswith("~") else value for value in found or (None,))
