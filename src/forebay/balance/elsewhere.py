"""What other balancers call the policies, for whoever writes their names here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from forebay.balance.policy import POLICIES
from forebay.types import suggest

ELSEWHERE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "least_conn": "least_connections",
        "leastconn": "least_connections",
        "least_request": "least_connections",
        "least_time": "least_response_time",
        "leasttime": "least_response_time",
        "ewma": "peak_ewma",
        "p2c": "power_of_two",
        "random_choose": "power_of_two",
        "sed": "shortest_expected_delay",
        "rr": "round_robin",
        "wrr": "weighted_round_robin",
        "first": "first_available",
        "ip_hash": "consistent_hash",
        "client_ip_hash": "consistent_hash",
        "source": "consistent_hash",
        "uri": "consistent_hash(key='path')",
        "uri_hash": "consistent_hash(key='path')",
        "hash": "consistent_hash(key='header:NAME')",
        "header": "consistent_hash(key='header:NAME')",
        "cookie": "consistent_hash(key='cookie:NAME')",
        "query": "consistent_hash(key='query:NAME')",
        "maglev": "consistent_hash(table='maglev')",
        "ring_hash": "consistent_hash(table='ring')",
        "rendezvous": "consistent_hash(table='rendezvous')",
    }
)
"""What is meant by a name of nginx, HAProxy, Envoy, Caddy, Traefik or IPVS."""


def meant(name: str) -> str | None:
    """`did you mean "least_connections"?`, where a policy is near enough or goes by this name elsewhere."""
    plain = spelled(name)
    return f'did you mean "{ELSEWHERE[plain]}"?' if plain in ELSEWHERE else suggest(name, POLICIES)


def spelled(name: str) -> str:
    """The name as one would have it here: in small letters and with underscores."""
    return name.strip().lower().replace("-", "_").replace(" ", "_")
