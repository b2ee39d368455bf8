"""What DNS says of a name or a service, in our words. Blocks, so it runs on workers; `dnspython` is imported by the first of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from forebay.config.discovery import Discovery
from forebay.config.pools import MAX_TIER, MAX_WEIGHT, Endpoint
from forebay.control.discovery.answers import Answer, Failed, Found, Nothing
from forebay.errors import ConfigError

if TYPE_CHECKING:
    from dns.message import QueryMessage
    from dns.resolver import Resolver

PATIENCE: Final = 5.0
"""Seconds that one look-up may take, over all name servers and repetitions."""

RESOLV_CONF: Final = "/etc/resolv.conf"


def addresses(host: str, port: int, manner: Discovery, patience: float = PATIENCE) -> Answer[str]:
    """The `ip:port`s of a name: its A records, or else its AAAA ones.

    Both kinds usually lead to the same servers, and counting both would make two endpoints of each. Sorted, so that a name server's
    rotation changes nothing. Addresses that no server can have (0.0.0.0, which filters answer with; multicast) do not count.
    """

    def read(records: list[Any], ttl: float) -> Answer[str]:
        found = {ipaddress.ip_address(record.address) for record in records}
        good = sorted(address for address in found if not (address.is_unspecified or address.is_multicast))
        if not good:
            return Nothing(f"it answered with {min(map(str, found))}, where nothing can be reached")
        return Found(tuple(f"[{each}]:{port}" if each.version == 6 else f"{each}:{port}" for each in good), ttl)  # noqa: PLR2004

    first = _ask(host, "A", manner, patience, read)
    return first or _ask(host, "AAAA", manner, patience, read) or Nothing("the name has no address")


def services(name: str, manner: Discovery, patience: float = PATIENCE) -> Answer[Endpoint]:
    """The endpoints that SRV records name (RFC 2782): tiers in the order of priority, weights in proportion.

    A weight of 0, "to be picked seldom", becomes the smallest there is; larger ones than 1000 are scaled down.
    """

    def read(records: list[Any], ttl: float) -> Answer[Endpoint]:
        real = [record for record in records if str(record.target) != "."]
        if not real:
            return Nothing("its record says that the service is not offered")
        priorities = sorted({record.priority for record in real})
        scale = min(1.0, MAX_WEIGHT / max(1, *(record.weight for record in real)))
        found = [
            endpoint
            for record in sorted(real, key=lambda record: (record.priority, str(record.target), record.port))
            if (endpoint := _endpoint(record, priorities.index(record.priority), max(1, round(record.weight * scale))))
        ]
        if not found:
            return Failed("none of its records has a host and a port that can be connected to")
        return Found(tuple(found), ttl)

    return _ask(name, "SRV", manner, patience, read) or Nothing("the service has no records")


def _endpoint(record: Any, tier: int, weight: int) -> Endpoint | None:  # noqa: ANN401 - a record has the attributes of its kind
    try:
        return Endpoint(f"{str(record.target).rstrip('.')}:{record.port}", weight=weight, tier=min(tier, MAX_TIER))
    except ConfigError:
        return None


def _ask(name: str, kind: str, manner: Discovery, patience: float, read: Callable[[list[Any], float], Answer[Any]]) -> Any:  # noqa: ANN401
    """What `read` makes of the records; None for a name that is there and has none of this kind."""
    import dns.exception  # noqa: PLC0415 - it takes as long as the rest of a start
    import dns.resolver  # noqa: PLC0415

    try:
        resolver = _resolver(manner)
        answer = resolver.resolve(name, kind, search=True, lifetime=patience)
        return read(list(answer), float(answer.chaining_result.minimum_ttl))
    except dns.resolver.NoAnswer:
        return None
    except (dns.resolver.NXDOMAIN, dns.resolver.NoResolverConfiguration) as error:
        unknown = isinstance(error, dns.resolver.NXDOMAIN)
        return Nothing("there is no such name (NXDOMAIN)" if unknown else f"{RESOLV_CONF} names no name server")
    except dns.resolver.LifetimeTimeout:
        return Failed(f"no answer from {_listed(resolver)} within {patience:g} s")
    except dns.resolver.NoNameservers as error:
        return Failed(_refusals(error.kwargs["errors"]) or "no name server answered")
    # Malformed answers come as whatever their parser stumbled over; none may end the worker.
    except (dns.exception.DNSException, OSError, ValueError) as error:
        return Failed(f"{type(error).__name__}: {error}")


def _resolver(manner: Discovery) -> Resolver:
    from dns.nameserver import Do53Nameserver  # noqa: PLC0415 - as above
    from dns.resolver import Resolver  # noqa: PLC0415

    resolver = Resolver(configure=False)
    if manner.nameservers:
        resolver.nameservers = [Do53Nameserver(each.host, each.port) for each in manner.nameservers]
    else:
        resolver.read_resolv_conf(RESOLV_CONF)  # anew each time: it is small, and changes with the network
    return resolver


def _listed(resolver: Resolver) -> str:
    return ", ".join(str(each).removeprefix("Do53:") for each in resolver.nameservers)


def _refusals(errors: list[tuple[str, bool, int, Any, QueryMessage | None]]) -> str:
    """`10.0.0.53@53 answered SERVFAIL`, for each name server."""
    from dns.rcode import to_text  # noqa: PLC0415 - as above

    said = {f"{server.removeprefix('Do53:')} answered {to_text(response.rcode()) if response else why}": None
            for server, _, _, why, response in errors}  # fmt: skip
    return "; ".join(said)
