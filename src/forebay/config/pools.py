"""Pools: the endpoints that serve, how one is picked, and what each may carry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from forebay.balance import DEFAULT
from forebay.config.discovery import SOURCES, Discovery
from forebay.config.failover import Ejection, Failover, Hedge, Retry, SlowStart, WhenAllDown
from forebay.config.fields import (
    Balance,
    Cookie,
    CountOrOff,
    Duration,
    EndpointAddress,
    EndpointId,
    Grace,
    HostSent,
    Lifetime,
    SigningSecret,
    Truth,
    number,
)
from forebay.config.health import Health
from forebay.config.table import Table
from forebay.config.words import Found
from forebay.types import Address, Malformed

MAX_WEIGHT = 1000
MAX_TIER = 15


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
        1,
        description=(
            "How much it can do beside the pool's other endpoints, 0 to 1000, for the policies that weigh: `weighted_round_robin` makes "
            "that its share, the default its speed. 0 takes no requests but those of clients that `affinity` has pinned to it."
        ),
    )
    tier: Annotated[int, number(0, MAX_TIER)] = Field(
        0, description="0 serves; 1 stands by and takes over where too few of tier 0 may serve; and so on, to 15. See `failover`."
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


class Affinity(Table):
    """A signed cookie that sends a client's next requests to the endpoint of its first, over any policy.

    It names the endpoint without telling anything of it. A client whose endpoint is gone or failing is given another by the same response;
    at its `max_inflight` another one stands in and the client stays. An endpoint of weight 0 keeps its clients until their cookies run
    out. Gateways that share the secret, and call pool and endpoints alike, honour each other's cookies.
    """

    example: ClassVar[str] = 'write affinity = { cookie = "fb", ttl = "1h", secret = "${FOREBAY_SECRET}" }'

    cookie: Cookie = Field(
        "fb", description="The cookie's name. Pools that answer on one host need one each. Servers see it, and their own cookies pass."
    )
    ttl: Lifetime = Field(
        3600.0, description="How long a client stays with its endpoint after a request; renewed by requests in the second half of it."
    )
    secret: SigningSecret | None = Field(
        None,
        description=(
            "What the cookie is signed with: 16 bytes or more that nobody can guess, the same on every gateway that serves the clients. "
            "It is never printed. Without it, a random one is kept in `state_dir`."
        ),
    )


class LoadReport(Table):
    """What becomes of a server's word on how busy it is: the response field `endpoint-load-metrics` (ORCA, in text or JSON).

    It feeds the policies' fields `reported_load` and `reported(NAME)`, and its metric `inflight` is counted into `inflight`, for the
    requests of other gateways. It is believed for 10 seconds.
    """

    example: ClassVar[str] = "write load_report = { keep = true }"

    keep: Truth = Field(default=False, description="Whether clients see the field too; otherwise it is removed.")


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
        (),
        description=(
            "Its servers: addresses, or tables with `address`, `weight`, `tier` and `id`. Turns follow their order. Required unless "
            "`discovery` names a source."
        ),
    )
    discovery: Discovery = Field(Discovery(), description="Where endpoints come from beside that list, and how names are looked up.")
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
    hedge: Hedge = Field(Hedge(), description="Whether slow requests are sent a second time before they fail.")
    health: Health | None = Field(None, description="How its endpoints are asked whether they are well. Without this table none is asked.")
    ejection: Ejection = Field(Ejection(), description="How an endpoint is left out by its live answers.")
    slow_start: SlowStart = Field(SlowStart(), description="How a new or recovered endpoint takes up its share: a duration.")
    failover: Failover = Field(Failover(), description="When the next tier takes over.")
    when_all_down: WhenAllDown = Field(
        WhenAllDown(policy="try_all"),
        description=(
            "What is done while none may serve: `try_all`, `last_healthy`, `fail_fast`, `pool:NAME`, or a table with `respond`, a fixed "
            "answer. Entering it is an event, and answers then have the field `forebay-all-down`."
        ),
    )
    affinity: Affinity | None = Field(
        None, description="A cookie that keeps each client with the endpoint that served it first. Without this table there is none."
    )
    load_report: LoadReport = Field(LoadReport(), description="What becomes of the servers' word on how busy they are.")

    def __init__(self, endpoints: object = None, /, **keys: object) -> None:
        super().__init__(**({} if endpoints is None else {"endpoints": endpoints}), **keys)

    @classmethod
    def _faults(cls, written: Mapping[str, Any]) -> Iterable[Found]:
        endpoints = written.get("endpoints")
        if not _discovers(written.get("discovery")):
            if endpoints is None:
                yield ("endpoints",), "missing", cls.example
            elif endpoints in ([], ()):
                yield ("endpoints",), "is empty", cls.example
        if not isinstance(endpoints, list | tuple) or not endpoints:
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


def _discovers(discovery: object) -> bool:
    """Whether a `discovery` as it was written names a source."""
    return any((discovery.get(kind) if isinstance(discovery, Mapping) else getattr(discovery, kind, None)) is not None for kind in SOURCES)


def listed(endpoints: Iterable[object]) -> object:
    """What a pool is told of endpoints that stand in any iterable; a text stays one, since its characters are no endpoints."""
    return endpoints if isinstance(endpoints, str) else list(endpoints)


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
