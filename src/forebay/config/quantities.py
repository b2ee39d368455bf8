"""Shares, and the other values that only the rules of failover have."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final

from pydantic.json_schema import JsonSchemaValue

from forebay.config.fields import Parsed
from forebay.failover.rules import MinHealthy
from forebay.types import Malformed, describe, format_duration, parse_duration

_SHARE: Final[JsonSchemaValue] = {
    "anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "examples": ["50%"]}],
}
_LARGEST: Final = 2**31 - 1


def parse_share(value: object) -> float:
    """A part of a whole, 0 to 1, from a number or a text such as `50%`. Raises Malformed."""
    hint = 'write a share such as 0.5 or "50%"'
    if isinstance(value, str):
        number = value.strip().removesuffix("%")
        try:
            share = float(Decimal(number) / (100 if value.strip().endswith("%") else 1))
        except InvalidOperation:
            raise Malformed(f'"{value}" is no share', hint) from None
    elif isinstance(value, int | float) and not isinstance(value, bool):
        share = float(value)
    else:
        raise Malformed(f"must be a share, not {describe(value)}", hint)
    if not 0 <= share <= 1:
        raise Malformed(f"must lie between 0 and 1, not {_shown(value)}", hint)
    return share


def format_share(share: float) -> str:
    """The share in per cent: `50%`."""
    return f"{(Decimal(repr(share)) * 100).normalize():f}%"


def parse_min_healthy(value: object) -> MinHealthy:
    """A count from 1, or a share such as `50%` above zero. Raises Malformed."""
    hint = 'write a number of endpoints, or a share such as "50%"'
    if isinstance(value, MinHealthy):
        return value
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= _LARGEST:
            raise Malformed(f"must be at least 1, not {value}", hint)
        return MinHealthy(count=value)
    if isinstance(value, str) and value.strip().endswith("%"):
        share = parse_share(value)
        if share == 0:
            raise Malformed('must be above zero, not "0%"', hint)
        return MinHealthy(share=share)
    raise Malformed(f"must be a number of endpoints or a share, not {_shown(value)}", hint)


def _write_min_healthy(value: MinHealthy) -> object:
    return value.count if value.count is not None else str(value)


def _attempt_timeout(value: object) -> str | float:
    if value in {"learned", "off"}:
        return str(value)
    try:
        seconds = parse_duration(value)
    except Malformed as error:
        raise Malformed(error.message, 'write "learned", "off" or a duration such as "500ms"') from None
    if seconds == 0:
        raise Malformed("must be longer than zero", 'write "off" for no limit')
    return seconds


def _shown(value: object) -> str:
    return json.dumps(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else describe(value)


def _timeout_text(value: Any) -> str:  # noqa: ANN401 - a word or seconds
    return value if isinstance(value, str) else format_duration(value)


Share = Annotated[float, Parsed("share, such as `0.5` or `50%`", parse_share, format_share, _SHARE)]
Ratio = Annotated[float, Parsed("number from 0 to 1", parse_share, None, _SHARE)]
Quorum = Annotated[
    MinHealthy,
    Parsed(
        "whole number from 1, or share such as `50%`",
        parse_min_healthy,
        _write_min_healthy,
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "examples": ["50%"]}]},
    ),
]
AttemptTimeout = Annotated[
    str | float,
    Parsed(
        '`"learned"`, `"off"` or duration',
        _attempt_timeout,
        _timeout_text,
        {"anyOf": [{"type": "string", "examples": ["learned", "off", "500ms"]}, {"type": "number", "exclusiveMinimum": 0}]},
    ),
]
