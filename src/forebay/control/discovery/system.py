"""Names as this machine knows them: its own files first, then DNS, then what else its system can ask."""

import ipaddress
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from forebay.config.discovery import Discovery
from forebay.control.discovery import dns
from forebay.control.discovery.answers import Answer, Found, Nothing

HOSTS: Final = Path("/etc/hosts")
_LOOPBACK: Final = "127.0.0.1"


def lookup(host: str, port: int, manner: Discovery) -> Answer[str]:
    """The `ip:port`s of a name. May take seconds; never raises.

    `localhost` and what /etc/hosts names need no name server. A name that DNS does not have is asked of the system (mDNS, the names of
    containers and virtual machines). With name servers of the pool's own, those alone are asked.
    """
    bare = host.rstrip(".").lower()
    if not manner.nameservers and (found := written(bare)):
        return Found(_targets(found, port))
    if bare == "localhost" or bare.endswith(".localhost"):  # never asked of DNS (RFC 6761)
        return Found(_targets([_LOOPBACK], port))
    answer = dns.addresses(host, port, manner)
    if isinstance(answer, Nothing) and not manner.nameservers:
        return system(bare, port) or answer
    return answer


def written(host: str) -> list[str]:
    """The addresses that /etc/hosts has for a name."""
    try:
        text = HOSTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    return [words[0] for words in lines if host in (word.lower() for word in words[1:])]


def system(host: str, port: int) -> Found[str] | None:
    """What the system's resolver says, which also asks what DNS does not have; None where it knows nothing either."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # UnicodeError: from the IDNA codec, about a name that no name server could hold
        return None
    targets = _targets((str(address[0]) for *_, address in found), port)
    return Found(targets) if targets else None


def _targets(addresses: Iterable[str], port: int) -> tuple[str, ...]:
    """IPv4 ones, or else IPv6 ones, each once and in a fixed order; see `dns.addresses`."""
    found = set(_valid(addresses))
    v4 = sorted(address for address in found if isinstance(address, ipaddress.IPv4Address))
    v6 = sorted(address for address in found if isinstance(address, ipaddress.IPv6Address))
    return tuple(f"{each}:{port}" for each in v4) or tuple(f"[{each}]:{port}" for each in v6)


def _valid(addresses: Iterable[str]) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    for text in addresses:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:  # a line that is none of hosts(5), or an address with a zone
            continue
        if not address.is_unspecified:
            yield address
