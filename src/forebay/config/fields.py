"""The types of the schema's fields: how each is read from what a user wrote, printed canonically, and described to editors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from forebay.balance import POLICIES, Policy, policy_of
from forebay.balance import parse as parse_balance
from forebay.config.patterns import parse_host_pattern, parse_path, parse_value_pattern
from forebay.config.words import custom
from forebay.types import (
    MASK,
    Address,
    Malformed,
    Network,
    Secret,
    describe,
    format_duration,
    format_size,
    parse_duration,
    parse_host,
    parse_network,
    parse_size,
)

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]")
_LONGEST_ID: Final = 255
_SHORTEST_SECRET: Final = 16
# The gateway writes these itself, from the message as it was parsed; setting or removing one would break the framing.
_FRAMING: Final = frozenset(
    {"connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"},
)
_LARGEST: Final = 2**31 - 1
_SMALLEST_HEAD: Final = 1024
_LARGEST_HEAD: Final = 64 * 1024


_FROM_ENVIRONMENT: Final[JsonSchemaValue] = {"type": "string", "pattern": r"\$\{"}


@dataclass(frozen=True)
class Parsed:
    """Marks a field as read by `parse`, which raises Malformed, and printed to JSON by `write`; `kind` is what the reference calls it."""

    kind: str
    parse: Callable[[object], Any]
    write: Callable[[Any], object] | None = None
    schema: JsonSchemaValue = field(default_factory=lambda: {"type": "string"}, compare=False)

    def _validate(self, value: object) -> object:
        try:
            return self.parse(value)
        except Malformed as error:
            raise custom(error.message, error.hint) from None

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        printed = core_schema.plain_serializer_function_ser_schema(self.write, when_used="json") if self.write else None
        return core_schema.no_info_plain_validator_function(self._validate, serialization=printed)

    def __get_pydantic_json_schema__(self, _core: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return dict(self.schema)


class OneOrMany:
    """Marks a list that may also be written as its only element."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda value: value if isinstance(value, list | tuple | AbstractSet | Iterator) else (value,),
            handler(source),
        )

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        many = handler(core)
        return {"anyOf": [many["items"], many]}


def number(least: int, most: int = _LARGEST, *, word: str | None = None, meaning: int | None = None) -> Parsed:
    """A whole number within bounds; a text of digits counts, so that a number can come from the environment. `word` stands for
    `meaning`, and is how that is printed.
    """

    def parse(value: object) -> int | None:
        if word is not None and (value == word or value is None):
            return meaning
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            also = f' or "{word}"' if word else ""
            shown = json.dumps(value) if isinstance(value, str | float) else describe(value)
            raise Malformed(f"must be a whole number{also}, not {shown}")
        if not least <= value <= most:
            raise Malformed(f"must be at least {least}, not {value}" if value < least else f"must be at most {most}, not {value}")
        return value

    schema: JsonSchemaValue = {"anyOf": [{"type": "integer", "minimum": least, "maximum": most}, _FROM_ENVIRONMENT]}
    kind = f"whole number from {least}" + (f" to {most}" if most != _LARGEST else "")
    if word is None:
        return Parsed(kind, parse, None, schema)
    return Parsed(
        f'{kind}, or `"{word}"`', parse, lambda value: word if value == meaning else value, {"anyOf": [*schema["anyOf"], {"const": word}]}
    )


def _positive(value: object) -> float:
    seconds = parse_duration(value)
    if seconds == 0:
        raise Malformed("must be longer than zero")
    return seconds


def _lifetime(value: object) -> float:
    seconds = parse_duration(value)
    if seconds < 1:
        raise Malformed("must be a second or longer")
    return float(int(seconds))


def _secret(value: object) -> Secret:
    """No message says what was written."""
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str | bytes):
        raise Malformed(f"must be a string, not {describe(value)}", 'write "${FOREBAY_SECRET}", and set that variable')
    secret = Secret(value)
    if value == MASK:
        raise Malformed("is how a secret is printed, not one", "write the secret itself")
    if len(secret.reveal()) < _SHORTEST_SECRET:
        raise Malformed(f"must be at least {_SHORTEST_SECRET} bytes, not {len(secret.reveal())}", "make one with `openssl rand -base64 32`")
    return secret


def _head_size(value: object) -> int:
    size = parse_size(value)
    if not _SMALLEST_HEAD <= size <= _LARGEST_HEAD:
        raise Malformed(f"must lie between {format_size(_SMALLEST_HEAD)} and {format_size(_LARGEST_HEAD)}, not {format_size(size)}")
    return size


def _off(parse: Callable[[object], Any]) -> Callable[[object], Any]:
    def read(value: object) -> object:
        if value is None or value == "off":
            return None
        try:
            return parse(value)
        except Malformed as error:
            raise Malformed(error.message, f'{error.hint}, or "off"' if error.hint else 'write "off" for no limit') from None

    return read


def _written(write: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: "off" if value is None else write(value)


def _listen_address(value: object) -> Address:
    address = value if isinstance(value, Address) else Address.parse(value)
    if address.kind == "unix":
        raise Malformed("Unix sockets cannot be listened on", 'write "127.0.0.1:PORT"')
    if address.host and address.ip is None and address.host != "localhost":
        raise Malformed(f'"{address.host}" is a name', 'listen on an IP address, on "localhost", or on all with ":PORT"')
    return address


def _admin_address(value: object) -> Address:
    address = _listen_address(value)
    if address.host != "localhost" and not (address.ip and address.ip.is_loopback):
        raise Malformed(f'"{address}" is no loopback address, and the admin API asks for no token yet', f'write "127.0.0.1:{address.port}"')
    return address


def _endpoint_address(value: object) -> Address:
    address = value if isinstance(value, Address) else Address.parse(value)
    if address.kind == "tcp" and not address.host:
        raise Malformed(f'"{address}" has no host', f'write "127.0.0.1:{address.port}"')
    if address.kind == "tcp" and not address.port:
        raise Malformed(f'"{address}" has the port 0, which nothing can be reached at', "a port is a number from 1 to 65535")
    if address.ip is not None and address.ip.is_unspecified:
        raise Malformed(f'"{address}" stands for all addresses, to listen on', f'write "127.0.0.1:{address.port}"')
    return address


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed(f"must be a string, not {describe(value)}", 'write it in quotes, as "text"')
    return value


def _name(value: object) -> str:
    if not _NAME.fullmatch(_text(value)):
        raise Malformed(f'"{value}" is no name', "use up to 64 letters, digits, _, - and ., and begin with neither of the last two")
    return str(value)


def _endpoint_id(value: object) -> str:
    text = _text(value)
    if not text or len(text) > _LONGEST_ID or " " in text or not text.isprintable():
        raise Malformed(f"{text!r} is no id", "an id has 1 to 255 printable characters and no space")
    return text


def _path_of_file(value: object) -> str:
    text = str(value) if hasattr(value, "__fspath__") else _text(value)
    if not text or "\0" in text:
        raise Malformed(f"{text!r} is no path")
    return text


def _token(value: object) -> str:
    if not _TOKEN.fullmatch(_text(value)):
        raise Malformed(f"{value!r} is no token of HTTP", "write letters, digits and - without spaces")
    return str(value)


def _edited_field(value: object) -> str:
    if _token(value).lower() in _FRAMING:
        raise Malformed(f'"{value}" belongs to the connection; the gateway writes it by itself', "leave it out")
    return str(value)


def _field_value(value: object) -> str:
    text = _text(value)
    if any(char != "\t" and not char.isprintable() for char in text):
        raise Malformed(f"{text!r} holds a line break or another control character, which no field's value may")
    if text != text.strip():
        raise Malformed(f"{text!r} begins or ends with white space, which no field's value may", f'write "{text.strip()}"')
    return text


def _upgrade(value: object) -> str:
    token = _token(value).lower()
    if token == "h2c":  # noqa: S105 - the name of a protocol
        raise Malformed('"h2c" would carry requests past the gateway unseen, and is never passed', "leave it out")
    return token


def _truth(value: object) -> bool:
    known = {"true": True, "false": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in known:
        return known[value]
    raise Malformed(f"must be true or false, not {describe(value)}")


def _host(value: object) -> str:
    text = _text(value)
    if text in {"client", "endpoint"}:
        return text
    if "/" in text:
        raise Malformed(f'"{text}" is no host', 'write "client", "endpoint", or a name with or without a port')
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        return parse_host(text) if not text.startswith("[") else str(Address.parse(f"{text}:80")).rpartition(":")[0]
    return str(Address.parse(f"{host}:{port}"))


def _new_path(value: object) -> str:
    text = _text(value)
    if not text.startswith("/") or text.startswith("//"):
        raise Malformed(f'"{text}" does not start with one "/"', f'did you mean "/{text.lstrip("/")}"?')
    if "?" in text or "#" in text:
        raise Malformed(f'"{text}" holds a query or a fragment', "the request's own query is kept; leave it out")
    return _wire(text)


def _wire(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise Malformed(f"{text!r} holds a character that no URL on the wire has", "write it percent-encoded, as %20 for a space")
    return text


def _prefix(value: object) -> str:
    text = _new_path(value).rstrip("/")
    if not text or "*" in text:
        raise Malformed(f'"{value}" is no prefix of a path', 'write it as "/prefix"')
    return text


def _redirect_to(value: object) -> str:
    text = _text(value)
    absolute = _URL.match(text)
    if not absolute and (not text.startswith("/") or text.startswith("//")):
        raise Malformed(f'"{text}" is no URL to redirect to', 'write "/path" or "https://HOST/path"')
    return _wire(text)


def _balance(value: object) -> Policy:
    return parse_balance(value) if isinstance(value, str) else policy_of(value)


_POLICIES_WITH_ARGUMENTS: Final = (
    "least((inflight + 1) * service_time / weight)",
    "consistent_hash(key='header:x-user', bounded_load=1.25)",
    "python:package.module:function",
)
_BARE_POLICIES: Final = [name for name in POLICIES if name not in {"least", "most", "python"}]
_DURATION: Final[JsonSchemaValue] = {"anyOf": [{"type": "string", "examples": ["2s", "500ms", "1m30s"]}, {"type": "number", "minimum": 0}]}
_SIZE: Final[JsonSchemaValue] = {"anyOf": [{"type": "string", "examples": ["64KiB", "10MB"]}, {"type": "integer", "minimum": 0}]}
_TRUTH: Final[JsonSchemaValue] = {"anyOf": [{"type": "boolean"}, _FROM_ENVIRONMENT]}

T = TypeVar("T")
Many = Annotated[tuple[T, ...], OneOrMany()]

Duration = Annotated[float, Parsed("duration", _positive, format_duration, _DURATION)]
Grace = Annotated[float, Parsed("duration, or 0", parse_duration, format_duration, _DURATION)]
DurationOrOff = Annotated[float | None, Parsed('duration, or `"off"`', _off(_positive), _written(format_duration), _DURATION)]
Lifetime = Annotated[float, Parsed("duration from 1s", _lifetime, format_duration, _DURATION)]
Size = Annotated[int, Parsed("size", parse_size, format_size, _SIZE)]
HeadSize = Annotated[int, Parsed("size from 1KiB to 64KiB", _head_size, format_size, _SIZE)]
SizeOrOff = Annotated[int | None, Parsed('size, or `"off"`', _off(parse_size), _written(format_size), _SIZE)]
CountOrOff = Annotated[int | None, number(1, word="off")]
ListenAddress = Annotated[Address, Parsed("address", _listen_address, str)]
AdminAddress = Annotated[Address, Parsed("loopback address", _admin_address, str)]
EndpointAddress = Annotated[Address, Parsed("address", _endpoint_address, str)]
TrustedNetwork = Annotated[Network, Parsed("network", parse_network, str)]
Name = Annotated[str, Parsed("name", _name)]
EndpointId = Annotated[str, Parsed("string", _endpoint_id)]
SigningSecret = Annotated[Secret, Parsed("string", _secret, str)]
Cookie = Annotated[str, Parsed("token", _token)]
Text = Annotated[str, Parsed("string", _text)]
LogTarget = Annotated[str, Parsed('`"stdout"`, `"stderr"`, `"off"` or a path', _path_of_file)]
Directory = Annotated[str, Parsed("path", _path_of_file)]
Truth = Annotated[bool, Parsed("true or false", _truth, None, _TRUTH)]
Method = Annotated[str, Parsed("method", lambda value: _token(value).upper())]
MatchedField = Annotated[str, Parsed("field name", lambda value: _token(value).lower())]
EditedField = Annotated[str, Parsed("field name", _edited_field)]
FieldValue = Annotated[str, Parsed("string", _field_value)]
UpgradeToken = Annotated[str, Parsed("token", _upgrade)]
PathPattern = Annotated[str, Parsed("path pattern", parse_path)]
HostPattern = Annotated[str, Parsed("host pattern", parse_host_pattern)]
ValuePattern = Annotated[str, Parsed("pattern", parse_value_pattern)]
NewPath = Annotated[str, Parsed("path", _new_path)]
Prefix = Annotated[str, Parsed("path", _prefix)]
RedirectTo = Annotated[str, Parsed("path or URL", _redirect_to)]
HostSent = Annotated[str, Parsed('`"client"`, `"endpoint"` or a name', _host)]
Balance = Annotated[Policy, Parsed("policy", _balance, str, {"type": "string", "examples": [*_BARE_POLICIES, *_POLICIES_WITH_ARGUMENTS]})]
