"""Which endpoint a person means."""

from collections.abc import Mapping, Sequence
from typing import Any

from forebay.errors import ForebayError
from forebay.types import Address, Malformed, suggest


def find(text: str, endpoints: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The one that `ADDRESS` or `POOL/ADDRESS` means; an address is an id, an address as declared, or what a name resolved to.

    Raises:
        ForebayError: where there is none, or there are several, which it lists.
    """
    pools = {each["pool"] for each in endpoints}
    pool, slash, rest = text.partition("/")
    found = _within(rest, [each for each in endpoints if each["pool"] == pool]) if slash and pool in pools else _within(text, endpoints)
    if not found:
        known = [f"{each['pool']}/{each['id']}" for each in endpoints]
        near = suggest(text, [*known, *(each["id"] for each in endpoints)])
        raise ForebayError(f'there is no endpoint "{text}"', hint=near or "see `forebay endpoints` for those there are")
    if len(found) > 1:
        lines = "".join(f"\n  {each['pool']}/{each['id']}" for each in found)
        raise ForebayError(f'"{text}" means {len(found)} endpoints; say which one:{lines}')
    return found[0]


def _within(text: str, endpoints: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Its id goes before an address, since it is one endpoint's alone within a pool."""
    address = _canonical(text)
    for key in ("id", "address", "target"):
        found = [each for each in endpoints if each[key] is not None and (each[key] == text or _canonical(each[key]) == address)]
        if found:
            return found
    return []


def _canonical(text: str) -> str:
    try:
        return str(Address.parse(text)).removeprefix("http://")
    except Malformed:
        return text
