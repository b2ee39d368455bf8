"""What a request is hashed by: how a key is written, and what the engine is told."""

from __future__ import annotations

import re
from typing import Final

from forebay.types import Malformed, describe, suggest

PLAIN: Final = ("client_ip", "path")
NAMED: Final = ("header", "cookie", "query")
_HINT: Final = "write client_ip, path, header:NAME, cookie:NAME or query:NAME"
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LONGEST: Final = 255


def parse_key(text: object) -> str:
    """The key in its one form: `client_ip`, `path`, `header:x-user` (in lower case), `cookie:NAME` or `query:NAME`.

    Raises Malformed for anything else, and for a name that no request could have: fields and cookies are called by tokens of HTTP.
    """
    if not isinstance(text, str):
        raise Malformed(f"a key is a text, not {describe(text)}", _HINT)
    kind, colon, name = text.strip().partition(":")
    if not colon and kind in PLAIN:
        return kind
    if kind not in NAMED or not colon:
        raise Malformed(f'"{text}" is no key to hash by', _meant(kind, colon + name))
    if not name or len(name) > _LONGEST or (kind != "query" and not _TOKEN.fullmatch(name)):
        raise Malformed(f'no {kind} is called "{name}", so that the key never occurs', f"write {kind}:NAME")
    return f"{kind}:{name.lower() if kind == 'header' else name}"


def _meant(kind: str, rest: str) -> str:
    if kind in NAMED:
        return f"write {kind}:NAME"
    near = suggest(kind, NAMED if rest else (*PLAIN, *NAMED))
    return near.replace('"?', f'{rest}"?') if near else _HINT


def key_wire(key: str) -> str | dict[str, str]:
    """What the engine is told of a parsed key: its name, or `{"header": NAME}` and so on."""
    kind, colon, name = key.partition(":")
    return {kind: name} if colon else kind
