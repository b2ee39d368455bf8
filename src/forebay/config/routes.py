"""Routes: which requests they match, and what is done with those."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from forebay.config.fields import (
    DurationOrOff,
    EditedField,
    FieldValue,
    HostPattern,
    Many,
    MatchedField,
    Method,
    Name,
    NewPath,
    PathPattern,
    Prefix,
    RedirectTo,
    Text,
    Truth,
    ValuePattern,
    number,
)
from forebay.config.patterns import parse_path, placeholder_faults
from forebay.config.table import Table
from forebay.config.words import Found, one_of
from forebay.types import Malformed

ACTIONS = ("pool", "redirect", "respond")
BODILESS = ("204", "205", "304")


def _paths(match: object) -> list[str] | None:
    """The path patterns of a match as it was written; None where one of them is itself at fault."""
    written = match.get("path", ()) if isinstance(match, Mapping) else getattr(match, "path", ())
    try:
        return [parse_path(path) for path in ((written,) if isinstance(written, str) else written)]
    except (Malformed, TypeError):
        return None


def _twice(written: Mapping[str, Any], key: str) -> Iterator[Found]:
    """Names of fields are the same in any case, so one may stand in a table twice."""
    table = written.get(key)
    seen: dict[str, str] = {}
    for name in table if isinstance(table, Mapping) else ():
        first = seen.setdefault(str(name).lower(), name)
        if first != name:
            yield (key, name), f'names the same field as "{first}"', "keep one of them"


class Match(Table):
    """Which requests a route takes: all the keys given must hold; in a list, any of its values may."""

    example: ClassVar[str] = 'write match = { path = "/v1/*" }'

    host: Many[HostPattern] = Field(
        (), description="Host without port: exact, or `*.example.com` for one or more labels more. Empty matches every host."
    )
    path: Many[PathPattern] = Field(
        (),
        description=(
            "Path: `/exact`, `/prefix/*` (also `/prefix` itself) or `~REGEX`, which must match the whole path. Empty matches every path. "
            "Compared with the path as sent: `/%61dmin` and `//admin` are not `/admin`, and a path with a `..` segment is refused."
        ),
    )
    method: Many[Method] = Field((), description="Request method. Empty matches every method.")
    header: dict[MatchedField, ValuePattern] = Field(
        {}, description="Field names with a pattern each: `value`, `*` (present), `prefix*` or `~REGEX` (the whole value)."
    )
    query: dict[Text, ValuePattern] = Field({}, description="Names of query parameters with a pattern each, written as for `header`.")

    @classmethod
    def _faults(cls, written: Mapping[str, Any]) -> Iterable[Found]:
        return _twice(written, "header")


class HeaderEdits(Table):
    """Edits of a message's fields: removals first, then each `set` replaces every field of its name."""

    example: ClassVar[str] = 'write { set = { x-tenant = "a" }, remove = ["x-debug"] }'

    set: dict[EditedField, FieldValue] = Field({}, description="Field names and the value that each gets, whatever it had before.")
    remove: Many[EditedField] = Field((), description="Names of fields that are taken out.")

    @classmethod
    def _faults(cls, written: Mapping[str, Any]) -> Iterable[Found]:
        return _twice(written, "set")


class Redirect(Table):
    """An answer that sends the client elsewhere. A plain URL in its place is its `to`."""

    short: ClassVar[str] = "to"
    example: ClassVar[str] = 'write redirect = "https://HOST/*"'

    to: RedirectTo = Field(
        description="Path or absolute URL. `*` stands for what the match's `*` stood for, `$1` for a group of its regex; the query is kept."
    )
    status: Literal[301, 302, 303, 307, 308] = Field(
        308, description="Status of the answer. 307 and 308 keep the method, 301 and 308 may be remembered by clients."
    )

    def __init__(self, to: object = None, /, **keys: object) -> None:
        super().__init__(**({} if to is None else {"to": to}), **keys)


class Respond(Table):
    """An answer that the gateway gives by itself."""

    example: ClassVar[str] = 'write respond = { status = 200, body = "ok" }'

    status: Annotated[int, number(200, 599)] = Field(200, description="Status of the answer, 200 to 599.")
    body: Text = Field("", description="Body of the answer, sent as UTF-8.")
    headers: dict[EditedField, FieldValue] = Field({}, description="Fields of the answer, such as `content-type`.")

    @classmethod
    def _faults(cls, written: Mapping[str, Any]) -> Iterable[Found]:
        yield from _twice(written, "headers")
        if written.get("body") and str(written.get("status")) in BODILESS:
            yield ("body",), f"an answer with status {written['status']} has no body", 'leave "body" out, or choose another status'


class Route(Table):
    """One rule: what it matches, and where that goes. The first route that matches wins; no match key matches all."""

    example: ClassVar[str] = 'write match = { path = "/v1/*" } and pool = "app"'

    name: Name | None = Field(
        None,
        description="Its name in records, in status and on the command line, unique. Without one it goes by its position, as `routes[3]`.",
    )
    match: Match = Field(Match(), description="Which requests it takes. Empty takes all.")
    pool: Name | None = Field(
        None, description="The pool whose endpoints serve it. Exactly one of `pool`, `redirect` and `respond` is given."
    )
    timeout: DurationOrOff = Field(
        None,
        description=(
            "From the request head to the response head, over all attempts: past it the client gets 504. A response that has "
            "begun is never cut by it."
        ),
    )
    first_byte_timeout: DurationOrOff = Field(
        60.0, description="From a request fully sent to its response head, for one attempt: past it the attempt has failed."
    )
    idempotency_key: Truth = Field(
        default=False,
        description=(
            "Whether a request with the field `Idempotency-Key` may run twice, whatever its method: only where the servers know that key "
            "and answer a second one with the first answer."
        ),
    )
    strip_prefix: Prefix | None = Field(
        None, description="Taken off the front of the path, on a segment's border, before the request goes on."
    )
    rewrite: NewPath | None = Field(
        None,
        description=(
            "The path that the request goes on with; `*` stands for what the match's `*` stood for, `$1` for a group of its "
            "regex. Not together with `strip_prefix`."
        ),
    )
    request_headers: HeaderEdits = Field(HeaderEdits(), description="Edits of the request that goes to the server.")
    response_headers: HeaderEdits = Field(HeaderEdits(), description="Edits of the response that goes to the client.")
    redirect: Redirect | None = Field(None, description="Answers with a redirect: a path, a URL, or a table with `to` and `status`.")
    respond: Respond | None = Field(None, description="Answers by itself, with `status`, `body` and `headers`.")

    @classmethod
    def _faults(cls, written: Mapping[str, Any]) -> Iterable[Found]:
        given = [action for action in ACTIONS if written.get(action) is not None]
        if not given:
            yield (), "says nothing to do with a request", f"give it one of {one_of(ACTIONS)}"
        elif len(given) > 1:
            yield (given[1],), f"stands beside {one_of(given[:1])}", f"a route has exactly one of {one_of(ACTIONS)}"
        if written.get("rewrite") is not None and written.get("strip_prefix") is not None:
            yield ("rewrite",), 'stands beside "strip_prefix"', 'keep one; rewrite = "/*" strips what stands before the match\'s "*"'
        paths = _paths(written.get("match"))
        redirect = written.get("redirect")
        to = redirect.get("to") if isinstance(redirect, Mapping) else getattr(redirect, "to", redirect)
        for path, text in ((("rewrite",), written.get("rewrite")), (("redirect", "to"), to)):
            if isinstance(text, str) and paths is not None:
                yield from ((path, message, hint) for message, hint in placeholder_faults(text, paths))
