"""Pools: the endpoints that serve, how one is picked, and what each may carry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from forebay.balance import DEFAULT
from forebay.config.fields import Balance, CountOrOff, Duration, EndpointAddress, EndpointId, Grace, HostSent, Size, number
from forebay.config.table import Table
from forebay.config.words import Found
from forebay.types import Address, Malformed

KIB = 1024
MAX_WEIGHT = 1000


class Endpoint(Table):
    """One server of a pool. A plain address in its place is its `address`."""

    short: ClassVar[str] = "address"
    example: ClassVar[str] = 'write "10.0.0.1:80" or { address = "10.0.0.1:80", weight = 2 }'

    address: EndpointAddress = Field(
        description=(
            "Where it is: `HOST:PORT`, `[V6]:PORT`, `http://HOST[:PORT]` or `unix:/path`. A name is resolved, again and "
            "again; each of its addresses serves."
        )
    )
    weight: Annotated[int, number(0, MAX_WEIGHT)] = Field(
        1, description="Its share relative to the pool's other endpoints, 0 to 1000, for the policies that weigh. 0 takes no requests."
    )
    id: EndpointId | None = Field(
        None, description="Its name in status and records, unique in the pool. Without one it goes by its resolved address."
    )

    def __init__(self, address: object = None, /, **keys: object) -> None:
        super().__init__(**({} if address is None else {"address": address}), **keys)


class Queue(Table):
    """Where requests wait while every endpoint of the pool is at its `max_inflight`."""

    example: ClassVar[str] = 'write queue = { size = 1000, timeout = "5s" }'

    size: Annotated[int, number(0)] = Field(
        1000, description="Requests that may wait at once; one more is answered with 503 at once, and so is every one at 0."
    )
    timeout: Grace = Field(5.0, description="How long one may wait; past it, it is answered with 503.")


class Retry(Table):
    """How requests are repeated that provably did not run, or that may run twice."""

    example: ClassVar[str] = "write retry = { attempts = 3 }"

    attempts: Annotated[int, number(1, 100)] = Field(
        3, description="Attempts in all, the first included, each on another endpoint; 1 repeats nothing."
    )
    replay_buffer: Size = Field(
        64 * KIB, description="Bytes of a request's body kept for repeating it; a longer one is not repeated once it went out."
    )


class Pool(Table):
    """Servers that do the same work, and how one of them is picked for each request."""

    example: ClassVar[str] = 'write endpoints = ["10.0.0.1:80"]'

    balance: Balance = Field(
        DEFAULT,
        validate_default=True,
        description=(
            "The policy that picks an endpoint: a name (`round_robin`), a call (`consistent_hash(key='header:x-user')`), a score of your "
            "own (`least((inflight + 1) * service_time / weight)`), or `python:package.module:function`. In Python also a policy of "
            "`forebay.balance`. [All policies](policies.md)."
        ),
    )
    endpoints: tuple[Endpoint, ...] = Field(
        description="Its servers: addresses, or tables with `address`, `weight` and `id`. Turns follow their order."
    )
    host: HostSent = Field(
        "client",
        description=(
            "The `Host` that a server receives: `client` passes on what the client sent, `endpoint` sends the endpoint's own "
            "address, anything else is sent as it stands."
        ),
    )
    connect_timeout: Duration = Field(
        1.0, description="To open a connection; past it the attempt has failed, and another endpoint is tried."
    )
    max_connections: CountOrOff = Field(None, description="Connections to one endpoint, idle ones included, over all threads.")
    max_inflight: CountOrOff = Field(
        None,
        description="Requests on one endpoint at once, over all threads; past it others are picked, and then requests wait in the `queue`.",
    )
    queue: Queue = Field(Queue(), description="Where requests wait while every endpoint is at its cap.")
    retry: Retry = Field(Retry(), description="How requests are repeated.")

    def __init__(self, endpoints: object = None, /, **keys: object) -> None:
        super().__init__(**({} if endpoints is None else {"endpoints": endpoints}), **keys)

    @classmethod
    def _faults(cls, written: Mapping[str, Any]) -> Iterable[Found]:
        endpoints = written.get("endpoints")
        if not isinstance(endpoints, list | tuple):
            return
        if not endpoints:
            yield ("endpoints",), "is empty", cls.example
            return
        seen: dict[str, int] = {}
        for index, name in _identities(endpoints):
            first = seen.setdefault(name, index)
            if first != index:
                yield (
                    ("endpoints", index),
                    f'"{name}" stands here twice, first as endpoints[{first}]',
                    "leave one out, or give each its own id",
                )
        weights = [each.get("weight", 1) if isinstance(each, Mapping) else getattr(each, "weight", 1) for each in endpoints]
        if all(isinstance(weight, int | str) and weight in {0, "0"} for weight in weights):
            yield ("endpoints",), "every weight is 0, so that none takes a request", "give at least one a weight of 1"


def _identities(endpoints: Iterable[object]) -> Iterator[tuple[int, str]]:
    """Position and id, or else address, of each endpoint as it was written; without those that are themselves at fault."""
    for index, each in enumerate(endpoints):
        name = each.get("id") if isinstance(each, Mapping) else getattr(each, "id", None)
        address = each.get("address") if isinstance(each, Mapping) else getattr(each, "address", each)
        if isinstance(name, str):
            yield index, name
        elif isinstance(address, Address):
            yield index, str(address)
        elif isinstance(address, str):
            try:
                yield index, str(Address.parse(address))
            except Malformed:
                continue
