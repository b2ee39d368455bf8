"""`[pools.X.health]`: how an endpoint is asked whether it is well, and what a good answer is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from forebay.config.fields import Duration, EditedField, FieldValue, Many, Method, Parsed, Text, Truth, number
from forebay.config.table import Table
from forebay.config.words import Found
from forebay.types import Malformed, describe, parse_duration

_STATUS: Final = re.compile(r"[1-5](?:\d\d|xx)")
_LONGEST: Final = 4096
_LONGEST_TIMEOUT: Final = 1.0
_SHORTEST_INTERVAL: Final = 0.01
DEFAULT_EXPECT: Final = ("2xx", "3xx")
_OTHERS: Final = {"http": ("send", "command"), "tcp": ("path", "method", "headers", "body", "command", "fresh"),
                  "command": ("path", "method", "headers", "expect", "send", "fresh")}  # fmt: skip


def _probe_path(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed(f"must be a path, not {describe(value)}", 'write it as "/healthz"')
    if not value.startswith("/"):
        raise Malformed(f'"{value}" does not start with "/"', f'did you mean "/{value}"?')
    if not value.isascii() or not value.isprintable() or " " in value or "#" in value:
        raise Malformed(f"{value!r} holds a character that no request's path has", "write it percent-encoded, as %20 for a space")
    return value


def _expected(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Malformed(f"must be a status or a text, not {describe(value)}", 'write 200, or "2xx"')
    return str(value)


def _written(value: str) -> int | str:
    return int(value) if value.isdigit() else value


def _answer(value: object) -> str:
    """A part of an answer, or a regex to be found in it."""
    if not isinstance(value, str):
        raise Malformed(f"must be a string, not {describe(value)}", 'write a part of the answer, or "~REGEX"')
    if not value or value == "~":
        raise Malformed("must not be empty", "leave it out to take any answer")
    if len(value) > _LONGEST:
        raise Malformed(f"must not be longer than {_LONGEST} characters")
    if value.startswith("~"):
        try:
            re.compile(value[1:])
        except (re.error, RecursionError, OverflowError) as error:
            raise Malformed(f'the regex "{value[1:]}" is malformed: {error}') from None
    return value


_EXPECTED = Annotated[
    str, Parsed('status, or `"2xx"`', _expected, _written, {"anyOf": [{"type": "integer"}, {"type": "string", "examples": ["2xx"]}]})
]
_PATH = Annotated[str, Parsed("path", _probe_path)]
_ANSWER = Annotated[str, Parsed('string, or `"~REGEX"`', _answer)]


class Health(Table):
    """How its endpoints are asked whether they are well: probes, spread over the interval, on a connection that is kept.

    Without this table none is asked, and what is known of an endpoint comes from its live answers alone. A probe that fails cannot
    take an endpoint out that answers its requests, and one that is answered 503 drains it.
    """

    example: ClassVar[str] = 'write health = { path = "/healthz" }'

    type: Literal["http", "tcp", "command"] = Field(
        "http", description="`http` sends a request, `tcp` connects, `command` runs a program and takes its exit status."
    )
    path: _PATH = Field("/", description="Path of the request, with its query, for `http`.")
    method: Method = Field("GET", description="Its method.")
    headers: dict[EditedField, FieldValue] = Field(
        {}, description="Fields of the request; `host` is the pool's `host` where it is a name, otherwise the endpoint's address."
    )
    expect: Many[_EXPECTED] = Field(
        (),
        description=(
            "Statuses that pass, for `http`: `200`, `2xx`, or a list; without any, 2xx and 3xx. For `tcp` a text that the server must "
            "send: a part of it, or `~REGEX`."
        ),
    )
    body: _ANSWER | None = Field(
        None,
        description=(
            "What the answer must hold: a part of it, or `~REGEX`. For `http` its first 16 KiB, for `command` what the program prints."
        ),
    )
    send: Text | None = Field(None, description="What is sent once connected, for `tcp`.")
    command: tuple[Text, ...] = Field(
        (), description="The program and its arguments, for `command`; `{address}`, `{host}` and `{port}` stand for the endpoint's."
    )
    interval: Duration = Field(2.0, description="Between two probes of one endpoint, give or take a tenth; at least 10ms.")
    down_interval: Duration | None = Field(None, description="The same while it is down. Without it, `interval`.")
    timeout: Duration | None = Field(None, description="How long one probe may take. Without it, 1s or `interval`, whichever is shorter.")
    fall: Annotated[int, number(1, 100)] = Field(2, description="Failed probes in a row after which an endpoint is down.")
    rise: Annotated[int, number(1, 100)] = Field(2, description="Passed probes in a row after which one that was down is back.")
    fresh: Truth = Field(default=False, description="Whether each probe opens a connection of its own, for `http`.")

    @property
    def probe_timeout(self) -> float:
        """Seconds that one probe may take, with its default."""
        return min(_LONGEST_TIMEOUT, self.interval) if self.timeout is None else self.timeout

    @property
    def while_down(self) -> float:
        """Seconds between two probes of an endpoint that is down, with its default."""
        return self.interval if self.down_interval is None else self.down_interval

    @property
    def statuses(self) -> tuple[str, ...]:
        """The statuses that pass, with their default; empty but for `http`."""
        return (self.expect or DEFAULT_EXPECT) if self.type == "http" else ()

    @property
    def text(self) -> str | None:
        """What the answer must hold."""
        return self.expect[0] if self.type == "tcp" and self.expect else self.body

    @classmethod
    def _faults(cls, written: Mapping[str, Any]) -> Iterable[Found]:
        kind = written.get("type", "http")
        if kind not in _OTHERS:
            return
        for key in _OTHERS[kind]:
            if key in written and not _as_by_default(written[key], cls.model_fields[key].default):
                fits = " or ".join(f'"{other}"' for other, keys in _OTHERS.items() if key not in keys)
                yield (key,), f'does not belong to type = "{kind}"', f"leave it out, or write type = {fits}"
        if kind == "command" and not written.get("command"):
            yield ("command",), "missing", 'write command = ["/usr/bin/check", "{host}", "{port}"]'
        yield from _expect_faults(kind, written.get("expect"))
        if kind == "http" and str(written.get("method", "")).upper() == "HEAD" and written.get("body"):
            yield ("body",), "a HEAD request has no body in its answer", 'write method = "GET"'
        for key in ("interval", "down_interval"):
            if isinstance(written.get(key), str | int | float) and _seconds(written[key]) < _SHORTEST_INTERVAL:
                yield (key,), "must be 10ms or longer", None


def _as_by_default(value: object, default: object) -> bool:
    """Whether a key says nothing but its default: what a canonical configuration holds for every type."""
    return value == default or (not value and not default)


def _seconds(value: object) -> float:
    """Seconds of a duration as it was written; infinite for one that is itself at fault, and for zero, which is a fault already."""
    try:
        return parse_duration(value) or float("inf")
    except Malformed:
        return float("inf")


def _expect_faults(kind: str, expect: object) -> Iterable[Found]:
    each = list(expect) if isinstance(expect, list | tuple) else [] if expect is None else [expect]
    if kind == "tcp" and len(each) > 1:
        yield ("expect",), 'is one text for type = "tcp"', 'write expect = "220", or "~^220 "'
    elif kind == "tcp" and each:
        try:
            _answer(str(each[0]))
        except Malformed as error:
            yield ("expect",), error.message, error.hint
    for index, one in enumerate(each if kind == "http" else ()):
        if isinstance(one, int | str) and not isinstance(one, bool) and not _STATUS.fullmatch(str(one)):
            place = ("expect", index) if isinstance(expect, list | tuple) else ("expect",)
            yield place, f'"{one}" is no status', 'write 200, or "2xx" for all that begin with 2'
