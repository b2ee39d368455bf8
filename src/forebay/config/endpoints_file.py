"""A file of endpoints: a list of what `endpoints` takes, in JSON, or in TOML under the key `endpoints`.

["10.0.0.1:80", {"address": "10.0.0.2:80", "weight": 2}]                   endpoints.json; also {"endpoints": [...]}
endpoints = ["10.0.0.1:80", { address = "10.0.0.2:80", weight = 2 }]       endpoints.toml; also [[endpoints]] tables
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from forebay.config.locate import locate
from forebay.config.pools import Endpoint, Pool
from forebay.config.words import path_text
from forebay.errors import ConfigError, Fault
from forebay.types import describe

_KEY: Final = "endpoints"
_SHAPES: Final = {"json": 'write ["10.0.0.1:80"], or {"endpoints": [...]}', "toml": 'write endpoints = ["10.0.0.1:80"]'}


def parse(content: bytes, file: str) -> tuple[Endpoint, ...]:
    """The endpoints that a file holds, in its order; an empty list is one. `file` is what faults call it, and its ending says how it is
    written.

    Raises:
        ConfigError: with every fault, for content that is cut short or says something else.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([Fault("is not UTF-8", file=file, line=line, hint="save it in UTF-8")]) from None
    if file.endswith(".toml"):
        return _endpoints(_toml(text, file), file, "toml", text)
    return _endpoints(_json(text, file), file, "json", "")


def _json(text: str, file: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        what = error.msg[:1].lower() + error.msg[1:]
        raise ConfigError([Fault(f"not JSON: {what} (column {error.colno})", file=file, line=error.lineno)]) from None
    except RecursionError:
        raise ConfigError([Fault("not JSON that holds endpoints: brackets in too many brackets", file=file)]) from None


def _toml(text: str, file: str) -> object:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        what = str(error)
        raise ConfigError([Fault(f"not TOML: {what[:1].lower()}{what[1:]}", file=file)]) from None


def _endpoints(data: object, file: str, kind: str, text: str) -> tuple[Endpoint, ...]:
    if isinstance(data, Mapping):
        unknown = [str(key) for key in data if key != _KEY]
        if unknown or _KEY not in data:
            what = "unknown key" if unknown else "missing"
            raise ConfigError([Fault(what, unknown[0] if unknown else _KEY, file, hint=_SHAPES[kind])])
        data = data[_KEY]
    if not isinstance(data, list):
        raise ConfigError([Fault(f"must be a list, not {describe(data)}", _KEY, file, hint=_SHAPES[kind])])
    if not data:
        return ()
    try:
        return Pool(data).endpoints
    except ConfigError as error:
        raise ConfigError(_placed(error.faults, file, text)) from None


def _placed(faults: list[Fault], file: str, text: str) -> list[Fault]:
    """With the lines that TOML has; the place of a fault in JSON is its key."""
    lines: dict[str, int] = {path_text(path): line for path, line in locate(text).items()} if text else {}
    return [replace(fault, file=file, line=_line(lines, fault.key)) for fault in faults]


def _line(lines: Mapping[str, int], key: str) -> int | None:
    while key and key not in lines:
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    return lines.get(key)


def first_line(error: ConfigError) -> str:
    """What is wrong in one line, for a log: the first fault, and how many more there are."""
    more = len(error.faults) - 1
    return f"{error.faults[0]}" + (f" (and {more} more)" if more else "")


def as_json(endpoints: tuple[Endpoint, ...]) -> list[Any]:
    """Plain data that `Pool(...)` reads back to the same endpoints."""
    return [endpoint.model_dump(mode="json", exclude_none=True) for endpoint in endpoints]
