"""The values everything shares: durations, sizes, addresses, networks. Each is parsed from the text that users write and prints back
in one canonical form, so that `parse(print(x)) == x`.

Durations are seconds (`float`, whole microseconds), sizes are bytes (`int`); `Address` is a value of its own.
"""

from __future__ import annotations

import difflib
import hmac
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, Self

MASK: Final = "**********"
"""What stands where a secret would."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_DURATION_UNITS: Final = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_DURATION_PRINTED: Final = (("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1))
_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)")
_LONGEST: Final = 366 * 86_400_000_000

_SIZE_UNITS: Final = {"B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE_PRINTED: Final = ("TiB", "GiB", "MiB", "KiB", "TB", "GB", "MB", "KB")
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")

_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_LONGEST_HOST: Final = 253
_LONGEST_PORT: Final = 5
_LAST_PORT: Final = 65_535
# sockaddr_un.sun_path holds 108 bytes, the closing NUL included.
_LONGEST_SOCKET_PATH: Final = 107


class Secret:
    """Bytes that nobody may see: printed, in JSON and in logs it is `MASK`. Takes a text, meant in UTF-8, or bytes."""

    __slots__ = ("_bytes",)

    def __init__(self, value: str | bytes) -> None:
        self._bytes = value.encode() if isinstance(value, str) else bytes(value)

    def reveal(self) -> bytes:
        """What it is."""
        return self._bytes

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._bytes, other._bytes)

    def __hash__(self) -> int:
        return hash((Secret, self._bytes))


class Malformed(ValueError):  # noqa: N818 - it names what the text is; callers turn it into a fault of their own
    """A text that is no value of the type asked for; `hint` says how to write it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


def parse_duration(value: object) -> float:
    """Seconds, from a number of seconds or a text such as `2s`, `500ms`, `1m30s`, `1.5h`.

    Raises Malformed for anything else, for less than zero and for more than 366 days.
    """
    hint = 'write a duration such as "2s", "500ms" or "1m30s"'
    if isinstance(value, str):
        parts = list(_DURATION_PART.finditer(value.strip()))
        if not parts or "".join(part[0] for part in parts) != value.strip():
            if re.fullmatch(r"\d+(\.\d+)?", value.strip()):
                raise Malformed(f'"{value}" has no unit', f'write "{value.strip()}s" for seconds')
            raise Malformed(f'"{value}" is no duration', hint)
        micros = sum(Decimal(part[1]) * _DURATION_UNITS[part[2]] for part in parts)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) < float("inf"):
            raise Malformed(f"{value} is no duration", hint)
        micros = Decimal(str(value)) * 1_000_000
    else:
        raise Malformed(f"must be a duration, not {describe(value)}", hint)
    if micros < 0:
        raise Malformed("must not be less than zero")
    if micros > _LONGEST:
        raise Malformed("must not be longer than 366 days", 'write "off" where it is allowed, for no limit')
    return round(micros) / 1_000_000


def format_duration(seconds: float) -> str:
    """The canonical text: the largest unit that divides it (`2s`, `75s`, `500ms`, `1h`)."""
    micros = round(seconds * 1_000_000)
    for unit, size in _DURATION_PRINTED:
        # A single minute reads better in seconds, beside its neighbours of 30 and 75.
        if micros and micros % size == 0 and (unit != "m" or micros != size):
            return f"{micros // size}{unit}"
    return "0s"


def parse_size(value: object) -> int:
    """Bytes, from a whole number of bytes or a text such as `64KiB`, `10MB`, `1.5GiB`. Raises Malformed for anything else."""
    hint = 'write a size such as "64KiB", "10MB" or a number of bytes'
    if isinstance(value, int) and not isinstance(value, bool):
        size = Decimal(value)
    elif isinstance(value, str):
        found = _SIZE.fullmatch(value.strip())
        if found is None:
            raise Malformed(f'"{value}" is no size', hint)
        unit = found[2].upper() or "B"
        if unit not in _SIZE_UNITS:
            letter = unit[0] if unit[0] in "KMGT" else "K"
            raise Malformed(f'"{value}" has the unknown unit "{found[2]}"', f'write "{found[1]}{letter}iB" or "{found[1]}{letter}B"')
        size = Decimal(found[1]) * _SIZE_UNITS[unit]
    else:
        raise Malformed(f"must be a size, not {describe(value)}", hint)
    if size < 0 or size >= 2**63:
        raise Malformed("must lie between 0 and 8 EiB")
    if size != int(size):
        raise Malformed(f'"{value}" is no whole number of bytes', hint)
    return int(size)


def format_size(size: int) -> str:
    """The canonical text: the largest unit that divides it, binary units first (`64KiB`, `10MB`, `1500B`)."""
    for unit in _SIZE_PRINTED:
        factor = _SIZE_UNITS[unit.upper()]
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size}B"


def parse_network(value: object) -> Network:
    """A network from `10.0.0.0/8`, `::1/128` or a single address. Raises Malformed, also where bits behind the prefix are set."""
    if not isinstance(value, str):
        if isinstance(value, Network):
            return value
        raise Malformed(f"must be a network, not {describe(value)}", 'write it as "10.0.0.0/8"')
    try:
        return ipaddress.ip_network(value.strip())
    except ValueError:
        try:
            wider = ipaddress.ip_network(value.strip(), strict=False)
        except ValueError:
            raise Malformed(f'"{value}" is no network', 'write it as "10.0.0.0/8" or "fd00::/8"') from None
        raise Malformed(f'"{value}" has bits set behind its prefix', f'did you mean "{wider}"?') from None


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect or to listen.

    `kind` is `tcp` (with `host`, without brackets, lower case; and `port`) or `unix` (with `path`, absolute). An empty `host` means
    every address of the machine, to listen on. Prints as `HOST:PORT`, `[V6]:PORT`, `:PORT` or `unix:/path`.
    """

    kind: Literal["tcp", "unix"]
    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, text: object) -> Self:
        """From `HOST:PORT`, `[V6]:PORT`, `:PORT`, `http://HOST[:PORT]` or `unix:/path`. Raises Malformed, for `https://` too."""
        if not isinstance(text, str):
            raise Malformed(f"must be an address, not {describe(text)}", 'write it as "HOST:PORT"')
        text = text.strip()
        if text.startswith("unix:"):
            return cls("unix", path=_socket_path(text.removeprefix("unix:")))
        scheme, found, rest = text.partition("://")
        if not found:
            return cls._host_port(text, None)
        if scheme.lower() == "https":
            raise Malformed(
                f'"{text}" asks for TLS, which Forebay cannot speak until TLS exists here',
                f'write "http://{rest}" or "HOST:PORT" for a plain connection',
            )
        if scheme.lower() != "http":
            raise Malformed(f'"{text}" has the unknown scheme "{scheme}"', 'write "HOST:PORT", "http://HOST:PORT" or "unix:/path"')
        if "/" in rest.removesuffix("/") or "?" in rest or "@" in rest:
            raise Malformed(
                f'"{text}" has more than a host and a port',
                f'write "http://{re.split("[/?]", rest.rpartition("@")[2])[0]}"; a path is changed by the route\'s "rewrite"',
            )
        return cls._host_port(rest.removesuffix("/"), 80)

    @classmethod
    def _host_port(cls, text: str, port: int | None) -> Self:
        hint = 'write it as "HOST:PORT", "[V6]:PORT" or "unix:/path"'
        if text.startswith("["):
            host, closed, rest = text[1:].partition("]")
            if not closed or ":" not in host:
                raise Malformed(f'"{text}" is no address', hint)
        else:
            host, colon, rest = text.rpartition(":")
            if ":" in host:
                raise Malformed(f'"{text}" is no address', f'write an IPv6 address in brackets, as "[{host}]:{rest}"')
            host, rest = (host, ":" + rest) if colon else (text, "")
        if not rest and port is None:
            raise Malformed(f'"{text}" has no port', f'write "{text}:80", say')
        return cls("tcp", parse_host(host) if host else "", _port(rest[1:], text) if rest else port or 0)

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The host as an IP address; None for a name, for every address, and for a Unix socket."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    @property
    def is_name(self) -> bool:
        """Whether the host is a name, which has to be looked up."""
        return self.kind == "tcp" and bool(self.host) and self.ip is None

    def __str__(self) -> str:
        if self.kind == "unix":
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_host(text: str) -> str:
    """A host name or an IP address (IPv6 without brackets), in lower case and canonical form. Raises Malformed."""
    try:
        return str(ipaddress.ip_address(text)) if "%" not in text else _no_zone(text)
    except Malformed:
        raise
    except ValueError:
        labels = text.removesuffix(".").split(".")
        numeric = labels[-1].isdigit()
        if len(text) > _LONGEST_HOST or numeric or not all(_LABEL.fullmatch(label) for label in labels):
            message = f'"{text}" is no IP address' if numeric or ":" in text else f'"{text}" is no host name'
            hint = "write it in its ASCII form (xn--...)" if not text.isascii() else None
            raise Malformed(message, hint) from None
        return text.lower()


def describe(value: object) -> str:
    """What kind of value it is, in the words of a configuration file."""
    kinds = {bool: "a truth value", int: "a number", float: "a number", str: "a string", dict: "a table", list: "a list", tuple: "a list"}
    return "nothing" if value is None else kinds.get(type(value), f"a {type(value).__name__}")


def suggest(word: object, known: Iterable[str]) -> str | None:
    """`did you mean "weight"?`, where one of the known words is near enough."""
    found = difflib.get_close_matches(str(word).lower().replace("-", "_"), list(known), n=1, cutoff=0.6)
    return f'did you mean "{found[0]}"?' if found else None


def _no_zone(text: str) -> str:
    raise Malformed(f'"{text}" names a zone, which is not supported', f'write "{text.partition("%")[0]}"')


def _port(text: str, whole: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_PORT and int(text) <= _LAST_PORT):
        raise Malformed(f'"{whole}" has no valid port', "a port is a number from 0 to 65535")
    return int(text)


def _socket_path(path: str) -> str:
    if not path.startswith("/"):
        raise Malformed(f'"unix:{path}" has no absolute path', 'write it as "unix:/run/app.sock"')
    if len(path.encode()) > _LONGEST_SOCKET_PATH or "\0" in path:
        raise Malformed(f'"unix:{path}" is longer than the 107 bytes that a socket\'s path may have, or holds a NUL')
    return path
