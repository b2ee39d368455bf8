"""Faults in Forebay's words: from Pydantic's errors, with did-you-mean, with the paths of their keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from forebay.types import Address, describe, suggest

Path = tuple[str | int, ...]

Found = tuple[Path, str, str | None]
"""A fault before it has a file: where, what, and what to do."""

GATEWAY_KEYS: Final = (
    "listen", "threads", "admin", "admin_token", "access_log", "state_dir", "shutdown_grace", "trusted_proxies", "forwarded",
)  # fmt: skip
"""The keys that a file has in its `[gateway]` table, and Python on the gateway itself."""

_OURS: Final = "forebay"
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_TYPES: Final = {
    "dict_type": ("a table", None),
    "model_type": ("a table", None),
    "model_attributes_type": ("a table", None),
    "list_type": ("a list", "write it in brackets, as [...]"),
    "tuple_type": ("a list", "write it in brackets, as [...]"),
}


def custom(message: str, hint: str | None = None) -> PydanticCustomError:
    """An error for Pydantic to collect, which keeps its words."""
    return PydanticCustomError(_OURS, "{message}", {"message": message, "hint": hint})


def line_error(path: Path, message: str, hint: str | None) -> InitErrorDetails:
    """The same with its place."""
    return InitErrorDetails(type=custom(message, hint), loc=path, input=None)


def one_of(known: Iterable[str]) -> str:
    """`"a", "b" or "c"`."""
    quoted = [f'"{word}"' for word in known]
    return " or ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


def translate(error: ErrorDetails, known: Iterable[str], example: str) -> InitErrorDetails:
    """Pydantic's error in our words; `known` are the keys of the table it arose in, `example` is how that table is written."""
    message, hint = _words(error, list(known), example or None)
    return line_error(error["loc"], message, hint)


def _words(error: ErrorDetails, known: list[str], example: str | None) -> tuple[str, str | None]:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == _OURS:
        return context["message"], context["hint"]
    if kind == "extra_forbidden":
        return "unknown key", suggest(error["loc"][-1], known) or f"the keys here are {', '.join(known)}"
    if kind == "literal_error":
        words = re.findall(r"\w[\w-]*", context["expected"].replace(" or ", " "))
        wanted = one_of(words) if isinstance(value, str) else one_of(words).replace('"', "")
        return f"must be {wanted}, not {json.dumps(value, default=str)}", suggest(value, words) if isinstance(value, str) else None
    wanted, hint = _TYPES.get(kind, ("", example))
    if wanted:
        return f"must be {wanted}, not {describe(value)}", hint or example
    return "missing" if kind == "missing" else error["msg"], hint


def path_text(path: Sequence[str | int]) -> str:
    """`pools.app.endpoints[1].weight`; names that are no bare keys of TOML are quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _BARE.fullmatch(part) else json.dumps(part))
    return text


def place_of(path: Path) -> Path:
    """The path as a file has it, where the gateway's own keys stand in a table `[gateway]`."""
    return ("gateway", *path) if path and path[0] in GATEWAY_KEYS else path


def shown_path(path: Path, written: object) -> Path:
    """The part of a path that exists in what was written: a short form has no keys inside, and Pydantic's marks are no keys."""
    shown: list[str | int] = []
    for part in path:
        if part == "[key]" or isinstance(written, str | int | float | Address) or (isinstance(part, int) and isinstance(written, Mapping)):
            break
        shown.append(part)
        written = _inside(written, part)
    return tuple(shown)


def found_of(error: ValidationError, written: Mapping[str, Any]) -> list[Found]:
    """All faults of a validation, in the order they were found."""
    return [
        (shown_path(each["loc"], written), each["msg"], each.get("ctx", {}).get("hint"))
        for each in error.errors(include_url=False, include_input=False)
    ]


def _inside(written: object, part: str | int) -> object:
    if isinstance(written, Mapping):
        return written.get(part)
    if isinstance(written, list | tuple) and isinstance(part, int) and part < len(written):
        return written[part]
    return getattr(written, str(part), None) if isinstance(written, BaseModel) else None
