"""The generated reference: the configuration from its schema, as a page and a JSON Schema for editors; the policies from their docstrings.

`python -m forebay.config.reference` writes all into docs/reference; with `--check` it only says which of them is out of date, and
exits 1 if any is.
"""

from __future__ import annotations

import json
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from forebay.balance.catalogue import page as policies
from forebay.config.discovery import Discovery
from forebay.config.effective import FIXED
from forebay.config.failover import Ejection, Failover, Hedge, Retry, SlowStart, WhenAllDown
from forebay.config.fields import OneOrMany, Parsed
from forebay.config.health import Health
from forebay.config.pools import Affinity, Endpoint, LoadReport, Pool, Queue
from forebay.config.routes import HeaderEdits, Match, Redirect, Respond, Route
from forebay.config.schema import GatewayConfig, Limits, Listener
from forebay.config.table import Table
from forebay.config.words import GATEWAY_KEYS

FOLDER: Final = Path(__file__).resolve().parents[3] / "docs" / "reference"

_HEAD: Final = """\
# Configuration

<!-- Written by `python -m forebay.config.reference` from the schema; change the descriptions there. -->

A file is TOML; every key has the same name and default in Python. The JSON Schema of a file, for editors, is
[forebay.schema.json](forebay.schema.json).

- **Durations** are `"500ms"`, `"2s"`, `"1m30s"`, `"1h"`, or a number of seconds. **Sizes** are `"64KiB"`, `"10MB"`, or a number of bytes.
- **Addresses** are `HOST:PORT`, `[V6]:PORT`, `:PORT` (to listen on all), `http://HOST[:PORT]`, or `unix:/path` (endpoints only).
- **Environment**: in a string of a file, `${NAME}` is the variable's value, and an error where it is unset; `${NAME:-x}` is `x` where it
  is unset or empty; `$$` is a dollar.
- An unknown key is an error. `forebay check FILE` names every fault at once, and `--effective` what is in force and where it came from.
"""

_TABLES: Final[tuple[tuple[str, type[Table]], ...]] = (
    ("[limits]", Limits),
    ("[listeners.NAME]", Listener),
    ("[[routes]]", Route),
    ("match = { ... }", Match),
    ("request_headers, response_headers = { ... }", HeaderEdits),
    ("redirect = { ... }", Redirect),
    ("respond = { ... }", Respond),
    ("[pools.NAME]", Pool),
    ("endpoints = [{ ... }]", Endpoint),
    ("[pools.NAME.discovery]", Discovery),
    ("queue = { ... }", Queue),
    ("[pools.NAME.health]", Health),
    ("[pools.NAME.ejection]", Ejection),
    ("[pools.NAME.retry]", Retry),
    ("hedge = { ... }", Hedge),
    ("slow_start = { ... }", SlowStart),
    ("[pools.NAME.failover]", Failover),
    ("when_all_down = { ... }", WhenAllDown),
    ("affinity = { ... }", Affinity),
    ("load_report = { ... }", LoadReport),
)


_SHORT: Final[dict[object, str]] = {
    Redirect: "path or URL, or table",
    SlowStart: "duration, or table",
    WhenAllDown: '`"try_all"`, `"fail_fast"`, `"last_healthy"`, `"pool:NAME"` or table',
}
"""What is said of a table that a plain value may stand for."""


def page() -> str:
    """The page for people, in Markdown."""
    whole = _rows(GatewayConfig, keys=GATEWAY_KEYS)
    parts = [_HEAD, _section("[gateway]", "The gateway as a whole; in Python these are keys of `Gateway` itself.", whole)]
    for heading, table in _TABLES:
        parts.append(_section(heading, " ".join((table.__doc__ or "").split()), _rows(table, keys=tuple(table.model_fields))))
    fixed = "\n".join(f"| `{key}` | {value} |" for key, value in FIXED)
    parts.append(f"## Fixed\n\nWhat no key changes.\n\n| what | value |\n|---|---|\n{fixed}\n")
    return "\n".join(parts)


def schema() -> dict[str, Any]:
    """The JSON Schema of a file, with the gateway's own keys in their table."""
    made = GatewayConfig.model_json_schema()
    tables = {table.__name__: table for _, table in _TABLES}
    _as_in_a_file(made["properties"], GatewayConfig)
    for name, definition in made["$defs"].items():
        _as_in_a_file(definition.get("properties") or definition["anyOf"][1]["properties"], tables[name])
    properties = made["properties"]
    own = {key: properties.pop(key) for key in GATEWAY_KEYS}
    gateway = {"type": "object", "title": "Gateway", "additionalProperties": False, "properties": own}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Forebay configuration",
        "type": "object",
        "additionalProperties": False,
        "properties": {"gateway": gateway, **properties},
        "$defs": made["$defs"],
    }


def _as_in_a_file(properties: dict[str, Any], table: type[Table]) -> None:
    """TOML has no null, and defaults are said as a file would."""
    for key, described in properties.items():
        described.pop("title", None)
        kinds = [kind for kind in described.get("anyOf", ()) if kind != {"type": "null"}]
        if len(kinds) == 1:
            del described["anyOf"]
            described.update(kinds[0])
        elif kinds:
            described["anyOf"] = kinds
        default = _printed_default(table, key)
        described.pop("default", None)
        if default is not None:
            described["default"] = default


def documents() -> dict[str, str]:
    """What is generated: the text of each file in docs/reference, by its name."""
    return {
        "configuration.md": page(),
        "policies.md": policies(),
        "forebay.schema.json": json.dumps(schema(), indent=2, ensure_ascii=False) + "\n",
    }


def outdated(folder: Path = FOLDER) -> list[str]:
    """The names of the generated files that are missing or not what the schema gives now."""
    return [
        name for name, text in documents().items() if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` compare them; returns the exit code."""
    if arguments == ["--check"]:
        stale = outdated()
        for name in stale:
            sys.stderr.write(f"{FOLDER / name} is out of date; run python -m forebay.config.reference\n")
        return 1 if stale else 0
    if arguments:
        sys.stderr.write("usage: python -m forebay.config.reference [--check]\n")
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


def _section(heading: str, text: str, rows: Iterator[str]) -> str:
    return f"## `{heading}`\n\n{text}\n\n| key | value | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def _rows(table: type[Table], *, keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        field = table.model_fields[key]
        cells = (f"`{key}`", _kind(field.annotation, field.metadata), _default(table, key, field), field.description or "")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(table: type[Table], key: str, field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    printed = _printed_default(table, key)
    return "" if printed is None else f"`{json.dumps(printed)}`"


def _printed_default(table: type[Table], key: str) -> object:
    """The default as a file would say it; None where there is none, or where it is a table of defaults."""
    field = table.model_fields[key]
    if field.is_required() or isinstance(field.default, Table | dict):
        short = getattr(field.default, "short", None)
        return field.default.model_dump(mode="json", exclude_none=True).get(short) if short else None
    return table.model_construct().model_dump(mode="json", include={key})[key]


def _kind(annotation: Any, metadata: list[Any]) -> str:  # noqa: ANN401 - annotations are of every type
    """What may be written: found in the marks of the field's type."""
    for mark in metadata:
        if isinstance(mark, Parsed):
            return mark.kind
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(inner[0], list(inner[1:]))
    if origin is Literal:
        return ", ".join(f"`{json.dumps(word)}`" for word in inner)
    if origin in {types.UnionType, typing.Union}:
        return _kind(next(each for each in inner if each is not type(None)), [])
    if origin is tuple and any(isinstance(mark, OneOrMany) for mark in metadata):
        return f"{_kind(inner[0], [])}, or a list"
    return _kind_of_table(inner[1] if origin is dict else annotation, whole=origin is None)


def _kind_of_table(annotation: Any, *, whole: bool) -> str:  # noqa: ANN401 - likewise
    if annotation in _SHORT:
        return _SHORT[annotation]
    if not whole:
        return f"table of {_kind(annotation, [])}s" if get_origin(annotation) is Annotated else "list of addresses or tables"
    return "table"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
