"""Patterns of a match, and the texts that refer to what they matched.

Paths: `/exact`, `/prefix/*` (also `/prefix` itself), `/*`, `~REGEX` (the whole path). Values of fields and parameters: `value`, `*`
(present), `prefix*`, `~REGEX` (the whole value). Hosts: exact, or `*.example.com` (one or more labels). Regexes are those of Rust's
`regex` crate, which has neither look-around nor back references; the engine compiles them, what is checked here is what can be said
better with the key at hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from forebay.types import Malformed, describe, parse_host

# Syntax that Rust has and Python lacks; a regex with any of it is left to the engine's judgement.
_RUST_ONLY: Final = re.compile(r"\\[pPzuUxCRX<>]|\\b\{|\(\?<[A-Za-z_]|\[\[?\^?:|\(\?[imsUuxR-]+[):]|&&|--|~~|\[[^\]]*\[")
_HOLDER: Final = re.compile(r"\$(?:(?P<dollar>\$)|(?P<number>[1-9])|\{(?P<braced>\w+)\}|(?P<name>[A-Za-z_]\w*))?")
_MARKS: Final = {"(?=": "look-ahead", "(?!": "look-ahead", "(?<=": "look-behind", "(?<!": "look-behind", "(?P=": "a back reference",
                 "(?>": "an atomic group", "(?(": "a conditional"}  # fmt: skip


def parse_regex(regex: str) -> str:
    """The regex itself. Raises Malformed for what Rust's `regex` crate lacks, and for what is malformed in either language."""
    for found in _tokens(regex):
        for mark, name in _MARKS.items():
            if found.startswith(mark):
                raise Malformed(
                    f'the regex "{regex}" uses {name} ("{mark}"), which is not supported', "write it without; order routes instead"
                )
        if re.fullmatch(r"\\[1-9]", found):
            raise Malformed(f'the regex "{regex}" uses a back reference ("{found}"), which is not supported', "write it without")
    if not _RUST_ONLY.search(regex):
        try:
            re.compile(regex)
        except (re.error, RecursionError, OverflowError) as error:
            raise Malformed(f'the regex "{regex}" is malformed: {error}') from None
    return regex


def parse_path(value: object) -> str:
    """A path pattern. Raises Malformed."""
    text = _string(value, "a path pattern", '"/prefix/*"')
    if text.startswith("~"):
        return "~" + parse_regex(text[1:])
    if not text.startswith("/"):
        raise Malformed(f'"{text}" does not start with "/"', f'did you mean "/{text}"?')
    if "?" in text or "#" in text:
        raise Malformed(f'"{text}" holds a query or a fragment', 'match the query with match = { query = { name = "value" } }')
    if not text.isascii() or not text.isprintable() or " " in text:
        raise Malformed(f'"{text}" holds a character that no path on the wire has', "write it percent-encoded, as %20 for a space")
    literal = text[:-1] if text.endswith("/*") else text
    if "*" in literal:
        raise Malformed(f'"{text}" has a "*" that is no whole last segment', 'write "/prefix/*", or a regex as "~/a[^/]*/b"')
    return text


def parse_value_pattern(value: object) -> str:
    """A pattern of a field's or parameter's value. Raises Malformed."""
    text = _string(value, "a pattern", '"value", "*", "prefix*" or "~REGEX"')
    if text.startswith("~"):
        return "~" + parse_regex(text[1:])
    if "*" in text[:-1]:
        raise Malformed(f'"{text}" has a "*" that is not at its end', 'write "prefix*", or a regex as "~a\\\\*b.*"')
    if not text.isprintable():
        raise Malformed(f"{text!r} holds a control character")
    return text


def parse_host_pattern(value: object) -> str:
    """A host pattern, in lower case. Raises Malformed."""
    text = _string(value, "a host", '"api.example.com" or "*.example.com"')
    if text.startswith("["):
        return f"[{parse_host(text[1:].removesuffix(']'))}]"
    name = text.removeprefix("*.")
    if text == "*":
        raise Malformed('"*" matches every host', "leave the key out")
    if "*" in name or name.startswith("."):
        raise Malformed(f'"{text}" has a "*" that is no whole first label', f'did you mean "*.{name.rpartition("*")[2].lstrip(".")}"?')
    if ":" in name or "/" in name:
        host = name.partition("://")[2] or name
        raise Malformed(f'"{text}" has more than a host', f'write "{re.split("[:/]", host)[0]}"; ports are not matched')
    return ("*." if name != text else "") + parse_host(name).removesuffix(".")


def placeholder_faults(text: str, paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with the `*` and `$1` of a rewrite or redirect, given its route's path patterns: pairs of fault and hint."""
    if "*" in text and not (paths and all(path.endswith("/*") and path[0] != "~" for path in paths)):
        yield 'has a "*", but not every path of the match ends in "/*"', 'match path = "/prefix/*", or write the path without "*"'
    for found in _HOLDER.finditer(text):
        group = found["number"] or found["braced"] or found["name"]
        if group is None:
            if found["dollar"] is None:
                yield 'has a "$" that names no group', "write $1 or ${name} for a group, and $$ for a dollar"
        elif not (paths and all(path.startswith("~") for path in paths)):
            yield f'has "{found[0]}", but not every path of the match is a regex', 'match a regex with a group, as path = "~/a/(.*)"'
        else:
            lacking = [path for path in paths if not _has_group(path[1:], group)]
            if lacking:
                yield (
                    f'has "{found[0]}", but "{lacking[0]}" has no such group',
                    "groups are numbered from 1, in the order of their brackets",
                )


def _has_group(regex: str, group: str) -> bool:
    if group.isdigit():
        return 1 <= int(group) <= count_groups(regex)
    return any(token_name == group for token_name in re.findall(r"\(\?P?<(\w+)>", regex))


def count_groups(regex: str) -> int:
    """How many capturing groups a regex has."""
    return sum(token[0] == "(" and (not token.startswith("(?") or bool(re.match(r"\(\?P?<[^=!]", token))) for token in _tokens(regex))


def literal_prefix(path: str) -> str:
    """What every path that a pattern matches begins with; empty for a regex."""
    if path.startswith("~"):
        return ""
    return path.removesuffix("/*") if path.endswith("/*") else path


def _string(value: object, what: str, example: str) -> str:
    if not isinstance(value, str):
        raise Malformed(f"must be {what}, not {describe(value)}", f"write {example}")
    if not value:
        raise Malformed("must not be empty", f"write {example}")
    return value


def _tokens(regex: str) -> Iterator[str]:
    """Escapes (two characters) and openings of groups (up to five), outside of character classes."""
    position, depth = 0, 0
    while position < len(regex):
        char = regex[position]
        if char == "\\":
            if not depth:
                yield regex[position : position + 2]
            position += 2
            continue
        if char == "[":
            depth += 1
            # A bracket right behind the opening stands for itself.
            position += len(re.match(r"\[\^?\]?", regex[position:])[0]) - 1  # type: ignore[index]
        elif char == "]" and depth:
            depth -= 1
        elif char == "(" and not depth:
            yield regex[position : position + 5]
        position += 1
