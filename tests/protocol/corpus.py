"""Reads llhttp's corpus (MIT): markdown with raw messages, each followed by the events that llhttp's parser makes of it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .wire import Fields

ROOT: Final = Path(__file__).parents[3] / "shared" / "data" / "llhttp"

_ITEM: Final = re.compile(
    r"^(#+) (.+?)$|<!-- meta=(\{.*?\}) -->\s*```http\n(.*?)```\s*(?:_[^\n]*_\s*)?```log\n(.*?)```", re.MULTILINE | re.DOTALL
)
_SPAN: Final = re.compile(r"^off=(\d+) len=(\d+) span\[(\w+)\]")
_EVENT: Final = re.compile(r"^off=(\d+) (.+)$")


@dataclass
class Read:
    """One message as llhttp reads it."""

    begin: int
    parts: dict[str, bytes] = field(default_factory=dict)
    fields: Fields = field(default_factory=list)
    trailers: Fields = field(default_factory=list)
    status: int = 0
    complete: bool = False


@dataclass(frozen=True)
class Case:
    """One message or several. `error` is why llhttp refuses it, if it does; after an upgrade it has not looked at the rest."""

    name: str
    kind: str
    raw: bytes
    messages: list[Read]
    error: str | None

    @property
    def whole(self) -> list[Read]:
        return [message for message in self.messages if message.complete]

    @property
    def is_incomplete(self) -> bool:
        return self.error is None and len(self.whole) < len(self.messages)


def cases(folder: str) -> list[Case]:
    """The cases of `request` or `response`; none where the corpus is not at hand."""
    return [case for path in sorted((ROOT / folder).glob("*.md")) for case in _cases(path)]


def _cases(path: Path) -> Iterator[Case]:
    titles: list[str] = []
    for match in _ITEM.finditer(path.read_text(encoding="utf-8")):
        depth, title, meta, source, log = match.groups()
        if title is not None:
            titles = [*titles[: len(depth) - 2], title] if len(depth) > 1 else titles
            continue
        options = json.loads(meta)
        kind = options["type"] + "".join(f"+{key}" for key in sorted(options) if key in {"pause", "skipBody"})
        raw = _bytes(source)
        yield Case(f"{path.stem}: {' / '.join(titles)}", kind, raw, *_events(raw, log.splitlines()))


def _bytes(source: str) -> bytes:
    """Undo the corpus's escapes, as its own reader does."""
    text = source.removesuffix("\n")
    text = re.sub(r"\\\n", "", text).replace("\n", "\r\n")
    for escape, meant in (("\\r", "\r"), ("\\n", "\n"), ("\\t", "\t"), ("\\f", "\f")):
        text = text.replace(escape, meant)
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda match: chr(int(match.group(1), 16)), text).encode()


def _events(raw: bytes, log: list[str]) -> tuple[list[Read], str | None]:
    messages: list[Read] = []
    name = value = b""
    in_head = True
    for line in log:
        if span := _SPAN.match(line):
            start, length, what = int(span[1]), int(span[2]), span[3]
            text = raw[start : start + length]
            if what == "header_field":
                name += text
            elif what == "header_value":
                value += text
            else:
                messages[-1].parts[what] = messages[-1].parts.get(what, b"") + text
        elif line.endswith("header_value complete"):
            (messages[-1].fields if in_head else messages[-1].trailers).append((name.lower(), value.strip(b" \t")))
            name = value = b""
        elif event := _EVENT.match(line):
            at, what = int(event[1]), event[2]
            if what.startswith("error"):
                # A pause is none: what follows belongs to another protocol, if the server agrees, and llhttp leaves that to its caller.
                return messages, None if "Pause on" in what else what
            in_head = _note(messages, at, what, in_head=in_head)
    return messages, None


def _note(messages: list[Read], at: int, what: str, *, in_head: bool) -> bool:
    """Take an event in; whether the fields to come are a head's."""
    if what == "message begin":
        messages.append(Read(at))
        return True
    if what == "message complete":
        messages[-1].complete = True
    if what.startswith("headers complete"):
        status = re.search(r"status=(\d+)", what)
        messages[-1].status = int(status[1]) if status else 0
        return False
    return in_head
