"""Loading what was declared, from a TOML file or from its equal in Python, with every fault at once."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar, overload

from pydantic import ValidationError

from forebay.config.environment import references, substitute
from forebay.config.locate import locate
from forebay.config.provenance import Provenance
from forebay.config.schema import GatewayConfig
from forebay.config.words import GATEWAY_KEYS, Found, found_of, path_text, place_of
from forebay.errors import ConfigError, Fault
from forebay.types import describe, suggest

C = TypeVar("C", bound=GatewayConfig)

_TABLES: Final = ("limits", "listeners", "routes", "pools")
_BARE: Final = re.compile(r"\s*([\w-]+)\s*=\s*((?!(?:true|false)\b)[A-Za-z_][^\"'#]*?)\s*(?:#.*)?")
_QUOTED_TWICE: Final = re.compile(r'\s*[\w-]+\s*=\s*"[^"#]*"\s*[^\s#"]+.*"')
_SYNTAX: Final = re.compile(r"(?P<what>.*?) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL)


@overload
def load(path: str | os.PathLike[str]) -> GatewayConfig: ...
@overload
def load(path: str | os.PathLike[str], cls: type[C]) -> C: ...
def load(path: str | os.PathLike[str], cls: type[Any] = GatewayConfig) -> Any:
    """The configuration that a TOML file declares, as a `cls`.

    Raises ConfigError with every fault, each with its file, line and key; also for a file that cannot be read.
    """
    name = os.fspath(path)
    try:
        text = Path(name).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([Fault(f"cannot be read: {error.strerror}", file=name)]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError([Fault("is not UTF-8", file=name, line=line, hint="save it in UTF-8")]) from None
    return loads(text, name, cls)


def loads(text: str, file: str, cls: type[C], environment: Mapping[str, str] | None = None) -> C:
    """The configuration that a TOML document declares; `file` is what faults call it. Raises ConfigError.

    `environment` is what `${NAME}` refers to; without it, the process's own.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_fault(str(error), text, file)]) from None
    secrets = dict(references(data))
    data, missing = substitute(data, os.environ if environment is None else environment)
    return _declared(data, missing, cls, Provenance(file, locate(text), secrets))


def from_dict(data: Mapping[str, Any], cls: type[C]) -> C:
    """The configuration that a mapping in the shape of a file declares, such as the canonical one. Raises ConfigError."""
    return _declared(data, [], cls, Provenance())


def _declared(data: Mapping[str, Any], missing: list[Found], cls: type[C], provenance: Provenance) -> C:
    keys, found = _flattened(data)
    config: C | None = None
    try:
        config = cls.model_validate(keys)
    except ValidationError as error:
        found += [(place_of(path), message, hint) for path, message, hint in found_of(error, keys)]
    # A string that could not be completed is no value yet: what else may be wrong with it is not known.
    incomplete = {path for path, _, _ in missing}
    found = [*missing, *(each for each in found if each[0] not in incomplete)]
    if config is None or found:
        faults = [Fault(message, path_text(path), provenance.file, provenance.line(path), hint) for path, message, hint in found]
        raise ConfigError(sorted(faults, key=lambda fault: fault.line or sys.maxsize))
    config.note_provenance(provenance)
    return config


def _flattened(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[Found]]:
    """The keys as Python has them, those of `[gateway]` on the gateway itself; and what has no place there."""
    keys = {key: value for key, value in data.items() if key in _TABLES}
    found: list[Found] = [((key,), "unknown key", _belongs(key)) for key in data if key not in (*_TABLES, "gateway")]
    gateway = data.get("gateway", {})
    if not isinstance(gateway, Mapping):
        return keys, [*found, (("gateway",), f"must be a table, not {describe(gateway)}", "write [gateway]")]
    for key, value in gateway.items():
        if key in GATEWAY_KEYS:
            keys[key] = value
        elif key in _TABLES:
            found.append((("gateway", key), "unknown key", f"[{key}] is a table of its own, beside [gateway]"))
        else:
            found.append((("gateway", key), "unknown key", suggest(key, GATEWAY_KEYS) or f"the keys here are {', '.join(GATEWAY_KEYS)}"))
    return keys, found


def _belongs(key: str) -> str:
    if key in GATEWAY_KEYS:
        return "it belongs into the table [gateway]"
    near = suggest(key, (*GATEWAY_KEYS, "gateway", *_TABLES))
    if near and any(f'"{known}"' in near for known in GATEWAY_KEYS):
        return near.replace("?", " in [gateway]?")
    return near or "the tables are [gateway], [limits], [listeners.NAME], [[routes]] and [pools.NAME]"


def _syntax_fault(message: str, text: str, file: str) -> Fault:
    """`tomllib` puts the place behind its message; a fault has it in front."""
    parts = _SYNTAX.fullmatch(message)
    if parts is None:
        return Fault(message, file=file)
    line = int(parts["line"]) if parts["line"] else text.count("\n") + 1
    column = f" (column {parts['column']})" if parts["column"] else " (end of the file)"
    what = parts["what"]
    return Fault(f"not TOML: {what[:1].lower()}{what[1:]}{column}", file=file, line=line, hint=_quoting(text.splitlines()[line - 1 : line]))


def _quoting(lines: list[str]) -> str | None:
    """What to do about a text without its quotes, or with the same ones inside."""
    if not lines:
        return None
    if found := _BARE.fullmatch(lines[0]):
        return f'put a text in quotes: {found[1]} = "{found[2]}"'
    return "inside the quotes of a text write ' for \"" if _QUOTED_TWICE.match(lines[0]) else None
