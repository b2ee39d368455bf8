"""Where each key of a TOML document stands.

`tomllib` gives values without places. This walks the same text again, once `tomllib` has found it well-formed, and notes the line of
every key and of every element of a list. It reads TOML 1.0 (and line breaks inside inline tables, which 1.1 allows) by structure
alone: what a value means is of no interest here.
"""

from __future__ import annotations

import re
import tomllib
from typing import Final

Path = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR: Final = re.compile(r"[^,\]}#\r\n]+")
_STRINGS: Final = (
    re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}', re.DOTALL),
    re.compile(r"'''(?:[^']|'(?!''))*'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


def locate(text: str) -> dict[Path, int]:
    """The line (from 1) of every key path of a well-formed TOML document: `("pools", "app", "endpoints", 1, "weight")`.

    Tables are at their first header, or at the first key under them; elements of arrays of tables at their own header.
    """
    return _Locator(text).document()


class _Locator:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.lines: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}
        # Lines are counted onwards from the place last asked for, so that the whole costs one pass.
        self.counted = 0
        self.line = 1

    def document(self) -> dict[Path, int]:
        table: Path = ()
        self.skip(_BLANK)
        while self.position < len(self.text):
            if self.text[self.position] == "[":
                table = self.header()
            else:
                self.pair(table)
            self.skip(_BLANK)
        return self.lines

    def header(self) -> Path:
        array = self.text.startswith("[[", self.position)
        line = self.here()
        self.position += 2 if array else 1
        *outer, last = self.key()
        self.position += 2 if array else 1
        path = self.resolve((), outer, line)
        if array:
            index = self.counts.get((*path, last), 0)
            self.counts[*path, last] = index + 1
            self.note((*path, last), line)
            path = (*path, last, index)
        else:
            path = self.resolve(path, [last], line)
        self.note(path, line)
        return path

    def resolve(self, path: Path, keys: list[str], line: int) -> Path:
        """The path that a header's keys lead to: through an array of tables into its last element."""
        for key in keys:
            path = (*path, key)
            self.note(path, line)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        return path

    def pair(self, table: Path) -> None:
        line = self.here()
        path = table
        for key in self.key():
            path = (*path, key)
            self.note(path, line)
        self.position += 1  # the equals sign
        self.skip(_SPACE)
        self.value(path)

    def value(self, path: Path) -> None:
        first = self.text[self.position]
        if first == "[":
            self.position += 1
            index = 0
            while self.more("]"):
                self.note((*path, index), self.here())
                self.value((*path, index))
                index += 1
        elif first == "{":
            self.position += 1
            while self.more("}"):
                self.pair(path)
        elif first in "\"'":
            self.string()
        else:
            self.skip(_SCALAR)

    def more(self, closing: str) -> bool:
        """Steps to the next element of a list or inline table; false behind its end."""
        self.skip(_BLANK)
        if self.text[self.position] == ",":
            self.position += 1
            self.skip(_BLANK)
        if self.text[self.position] != closing:
            return True
        self.position += 1
        return False

    def key(self) -> list[str]:
        """The parts of a dotted key, up to the equals sign or bracket behind it."""
        parts = []
        while True:
            self.skip(_SPACE)
            if self.text[self.position] in "\"'":
                parts.append(_unquoted(self.string()))
            else:
                parts.append(self.skip(_BARE))
            self.skip(_SPACE)
            if self.text[self.position] != ".":
                return parts
            self.position += 1

    def string(self) -> str:
        # The longer quotes are tried first; where they do not match, two quotes are an empty string.
        found = next(filter(None, (string.match(self.text, self.position) for string in _STRINGS)))
        self.position = found.end()
        return found[0]

    def skip(self, what: re.Pattern[str]) -> str:
        found = what.match(self.text, self.position)
        if found is None:
            return ""
        self.position = found.end()
        return found[0]

    def here(self) -> int:
        self.line += self.text.count("\n", self.counted, self.position)
        self.counted = self.position
        return self.line

    def note(self, path: Path, line: int) -> None:
        self.lines.setdefault(path, line)


def _unquoted(quoted: str) -> str:
    """The key that a quoted key says; of its escapes `tomllib` knows all."""
    return next(iter(tomllib.loads(f"{quoted} = 0")))
