"""`${NAME}` in the strings of a file: the environment's value, or the default of `${NAME:-default}`; `$$` is a dollar."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from forebay.config.words import Found, Path

_REFERENCE: Final = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<open>\{))")

SECRETS: Final = frozenset({"secret", "admin_token"})
"""Keys whose values no message repeats."""


def substitute(value: Any, environment: Mapping[str, str]) -> tuple[Any, list[Found]]:  # noqa: ANN401 - whatever TOML holds
    """The same value with every reference replaced, and a fault for each that cannot be. Keys are left as they are."""
    faults: list[Found] = []
    return _replaced(value, environment, (), faults), faults


def references(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:  # noqa: ANN401 - whatever TOML holds
    """The secrets that a document declares by `${NAME}`, by their path."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from references(each, (*path, key))
    elif isinstance(value, str) and "${" in value and path[-1:] and path[-1] in SECRETS:
        yield path, value


def _replaced(value: Any, environment: Mapping[str, str], path: Path, faults: list[Found]) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _replaced(each, environment, (*path, key), faults) for key, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, environment, (*path, index), faults) for index, each in enumerate(value)]
    if not isinstance(value, str) or "$" not in value:
        return value

    def one(found: re.Match[str]) -> str:
        name = found["name"]
        if found["dollar"]:
            return "$"
        if name is None:
            # Where a secret stands, no message repeats it.
            shown = "the secret" if path and path[-1] in SECRETS else f'"{value}"'
            faults.append((path, f'{shown} has a "${{" that names no variable', "write ${NAME}, ${NAME:-default}, or $$ for a dollar"))
            return found[0]
        if name not in environment and found["default"] is None:
            faults.append((path, f"the environment has no variable {name}", f"set it, or write ${{{name}:-default}}"))
            return found[0]
        return environment.get(name) or found["default"] or ""

    return _REFERENCE.sub(one, value)
