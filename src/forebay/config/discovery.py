"""Where a pool's endpoints come from beside its list, and how long what was found is believed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from forebay.config.fields import Duration, Grace, Many, Parsed
from forebay.config.table import Table
from forebay.config.words import Found
from forebay.types import Address, Malformed, describe, parse_duration, parse_host

SOURCES: Final = ("dns", "srv", "file")
_DNS_PORT: Final = 53
_SERVICE: Final = re.compile(r"_[^.]+\._(tcp|udp)\..+")


def _text(value: object, hint: str) -> str:
    if not isinstance(value, str):
        raise Malformed(f"must be a string, not {describe(value)}", hint)
    return value.strip()


def _name_address(value: object) -> Address:
    address = value if isinstance(value, Address) else Address.parse(value)
    if address.ip is not None or not address.host or not address.port:
        raise Malformed(f'"{address}" is no name with a port', 'write "NAME:PORT"; other addresses belong into endpoints')
    return address


def _nameserver(value: object) -> Address:
    hint = 'write "10.0.0.53", "10.0.0.53:5353" or "[2001:db8::53]:53"'
    if isinstance(value, Address):
        return value
    text = _text(value, hint)
    try:
        return Address("tcp", str(ipaddress.ip_address(text.strip("[]"))), _DNS_PORT)
    except ValueError:
        address = Address.parse(text)
    if address.ip is None or not address.port:
        raise Malformed(f'"{text}" is no address of a name server', hint)
    return address


def _service(value: object) -> str:
    hint = 'write "_SERVICE._tcp.NAME", such as "_http._tcp.app.example"'
    name = parse_host(_text(value, hint))
    if not _SERVICE.fullmatch(name):
        raise Malformed(f'"{value}" is no name of a service', hint)
    return name


def _endpoints_file(value: object) -> str:
    text = str(value) if hasattr(value, "__fspath__") else _text(value, 'write file = "endpoints.json"')
    if not text.endswith((".json", ".toml")) or "\0" in text:
        raise Malformed(f'"{text}" ends in neither .json nor .toml', "the ending says how it is written")
    return text


NameAddress = Annotated[Address, Parsed("name with port", _name_address, str)]
Nameserver = Annotated[Address, Parsed("IP address, with or without port", _nameserver, str)]
ServiceName = Annotated[str, Parsed("name of a service", _service)]
EndpointsFile = Annotated[str, Parsed("path", _endpoints_file)]


class Discovery(Table):
    """Where endpoints come from beside `endpoints`: one of `dns`, `srv` and `file`. The other keys also hold for names in `endpoints`.

    What was found stays in force while its source does not answer. A change adds first; what is gone leaves a second later.
    """

    example: ClassVar[str] = 'write discovery = { dns = "app.example:80" }'

    dns: NameAddress | None = Field(
        None,
        description="`NAME:PORT`: each address that DNS has for the name (A, else AAAA) is an endpoint. A name in `endpoints` is the same.",
    )
    srv: ServiceName | None = Field(
        None,
        description=(
            "A service such as `_http._tcp.app.example`: each SRV record is an endpoint. The lowest priority is tier 0, the next tier 1; "
            "weights keep their proportions."
        ),
    )
    file: EndpointsFile | None = Field(
        None,
        description=(
            "A file that holds endpoints, `.json` or `.toml`, as `endpoints` takes them. It is watched; half-written or bad content "
            "changes nothing. A relative path starts at the working directory."
        ),
    )
    min_ttl: Duration = Field(1.0, description="The shortest time between two look-ups of a name, whatever its DNS record says.")
    max_ttl: Duration = Field(
        60.0, description="The longest; a name from a source without such a time is looked up again after 30 s at most."
    )
    empty_grace: Grace = Field(
        60.0,
        description=("How long a source must say that there are no endpoints, or fewer than half as many as before, until it is believed."),
    )
    nameservers: Many[Nameserver] = Field(
        (),
        description="`IP` or `IP:PORT` of the name servers to ask, and nothing else. Without any, the system's own files and servers.",
    )

    @property
    def source(self) -> str | None:
        """The name, service or file that endpoints come from; None where there is none."""
        named = (getattr(self, kind) for kind in SOURCES)
        return next((str(each) for each in named if each is not None), None)

    @property
    def manner(self) -> Discovery:
        """How names are looked up, without where endpoints come from."""
        return self.model_copy(update=dict.fromkeys(SOURCES))

    @classmethod
    def _faults(cls, written: Mapping[str, Any]) -> Iterable[Found]:
        named = [kind for kind in SOURCES if written.get(kind) is not None]
        if len(named) > 1:
            yield (named[1],), f'stands beside "{named[0]}"', "a pool has one source; give the other a pool of its own"
        try:
            least, most = (parse_duration(written.get(key, cls.model_fields[key].default)) for key in ("min_ttl", "max_ttl"))
        except Malformed:
            return
        if least > most:
            key = "min_ttl" if "min_ttl" in written else "max_ttl"
            yield (key,), "min_ttl is longer than max_ttl", "min_ttl is 1s and max_ttl 60s where they are not written"


def key_of_name(pool: str, address: Address, manner: Discovery) -> str:
    """What a name to look up is called everywhere: `HOST:PORT`; with its pool where that looks names up in its own manner."""
    return str(address) if manner.manner == Discovery() else f"{address} (pools.{pool})"
