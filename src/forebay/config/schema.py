"""The whole of what can be declared, used alike from TOML and from Python; a key enters here when it works."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, PrivateAttr

from forebay.config.discovery import Discovery
from forebay.config.failover import KIB, Ejection, Failover, Hedge, Retry, SlowStart, WhenAllDown
from forebay.config.fields import (
    AdminAddress,
    CountOrOff,
    Directory,
    Duration,
    DurationOrOff,
    Grace,
    HeadSize,
    ListenAddress,
    LogTarget,
    Many,
    Name,
    SigningSecret,
    SizeOrOff,
    TrustedNetwork,
    Truth,
    UpgradeToken,
    number,
)
from forebay.config.health import Health
from forebay.config.pools import Affinity, Endpoint, LoadReport, Pool, Queue
from forebay.config.provenance import Provenance
from forebay.config.routes import HeaderEdits, Match, Redirect, Respond, Route
from forebay.config.table import Table
from forebay.config.words import GATEWAY_KEYS, Found, Path, path_text, place_of
from forebay.types import Address, Malformed, suggest

__all__ = [
    "GATEWAY_KEYS", "Affinity", "Discovery", "Ejection", "Endpoint", "Failover", "GatewayConfig", "HeaderEdits", "Health", "Hedge",
    "Limits", "Listener", "LoadReport", "Match", "Pool", "Queue", "Redirect", "Respond", "Retry", "Route", "SlowStart", "WhenAllDown",
]  # fmt: skip

DEFAULT_LISTENER: Final = "default"


class Listener(Table):
    """Where clients connect, and what they may do there."""

    example: ClassVar[str] = 'write bind = "0.0.0.0:8080"'

    bind: Many[ListenAddress] = Field(
        description=(
            "Address or addresses to listen on: `IP:PORT`, `[V6]:PORT`, or `:PORT` for all of the machine. Port 0 asks the system for one."
        )
    )
    upgrades: Many[UpgradeToken] = Field(
        ("websocket",),
        description=(
            "Protocols that a client may switch to with `Upgrade`; the connection is then a tunnel. Others are answered as if "
            "it had not been asked. Never `h2c`."
        ),
    )
    half_close: Truth = Field(
        default=False,
        description=(
            "Whether a client that has closed its sending side still gets its answer; otherwise that is an abort, and its "
            "request is given up at once."
        ),
    )

    def __init__(self, bind: object = None, /, **keys: object) -> None:
        super().__init__(**({} if bind is None else {"bind": bind}), **keys)

    @classmethod
    def _faults(cls, written: Mapping[str, Any]) -> Iterable[Found]:
        if written.get("bind") in ([], ()):
            yield ("bind",), "is empty", cls.example


class Limits(Table):
    """How long and how large anything from a client may be. Times measure progress, not totals, unless they say so."""

    example: ClassVar[str] = 'write [limits] and then head_timeout = "10s"'

    head_timeout: Duration = Field(10.0, description="From the first byte of a request head to its end; past it the client gets 408.")
    body_timeout: Duration = Field(
        30.0,
        description=(
            "Without a byte while the rest of a body is awaited; past it the client gets 408 for a request's body, and a response "
            "that has begun is cut."
        ),
    )
    send_timeout: Duration = Field(
        30.0,
        description=(
            "Without progress while the other side does not read; past it the client's connection is cut, and a request that the "
            "server does not take in gets 504."
        ),
    )
    keepalive_timeout: Duration = Field(75.0, description="Between two requests on one connection; past it the connection is closed.")
    tunnel_timeout: Duration = Field(3600.0, description="Without a byte in either direction of a tunnel; past it the tunnel is closed.")
    total_timeout: DurationOrOff = Field(None, description="From the request head to the end of the exchange, whatever its progress.")
    max_head: HeadSize = Field(
        32 * KIB,
        description=(
            "Bytes of a request or response head, the first line included; a longer request gets 431 or 414, a longer response 502."
        ),
    )
    max_body: SizeOrOff = Field(None, description="Bytes of a request's body; a longer one gets 413.")
    max_connections: CountOrOff = Field(None, description="Client connections open at once, over all listeners; past it accepting pauses.")


class GatewayConfig(Table):
    """A gateway as it is declared. A file has the keys from `listen` to `forwarded` in its table `[gateway]`."""

    listen: Many[ListenAddress] | None = Field(
        None,
        description=(
            'Address or addresses to listen on; short for one listener of the name "default". Either this or `[listeners]` is given.'
        ),
    )
    threads: Annotated[int | None, number(1, 1024, word="auto")] = Field(
        None, description="Engine threads. `auto` takes the smaller of the CPUs allowed and the control group's quota, at least 1."
    )
    admin: AdminAddress | None = Field(
        None,
        description=(
            "Loopback address of the admin API (`/live`, `/ready`, `/status`). Without it, only the control socket in "
            "`state_dir` serves it."
        ),
    )
    admin_token: SigningSecret | None = Field(
        None,
        description=(
            "What a request to the admin address must show, as `Authorization: Bearer TOKEN`, to change anything: 16 bytes or more. "
            "Without it that address only tells; the control socket takes orders from its owner alone and asks for no token."
        ),
    )
    access_log: LogTarget = Field(
        "stdout",
        description=(
            "Where each request's record goes: `stdout`, `stderr`, `off` or a file's path. Text on a terminal, JSON lines "
            "otherwise; a file may be rotated at any time."
        ),
    )
    state_dir: Directory | None = Field(
        None, description="Directory of the control socket. Without it: $STATE_DIRECTORY, else $XDG_STATE_HOME/forebay/NAME."
    )
    shutdown_grace: Grace = Field(
        30.0, description="How long requests and tunnels may go on once the gateway was told to stop; what still runs then is cut."
    )
    trusted_proxies: Many[TrustedNetwork] = Field(
        (),
        description=(
            "Networks or addresses of proxies in front whose forwarding fields are believed. Empty believes nobody: the "
            "client is who connected."
        ),
    )
    forwarded: Literal["x-forwarded", "forwarded", "off"] = Field(
        "x-forwarded",
        description=(
            "How servers are told who the client was: `x-forwarded` sets X-Forwarded-For, -Proto and -Host, `forwarded` sets "
            "Forwarded (RFC 7239), `off` neither."
        ),
    )
    limits: Limits = Field(Limits(), description="How long and how large anything from a client may be.")
    listeners: dict[Name, Listener] = Field({}, description="Where clients connect, by name.")
    routes: tuple[Route, ...] = Field(
        (), description="Which request goes where; the first that matches wins. Without any, everything goes to the only pool."
    )
    pools: dict[Name, Pool] = Field({}, description="The servers, by the pool's name.")

    _provenance: Provenance = PrivateAttr(default_factory=Provenance)

    @property
    def all_listeners(self) -> dict[str, Listener]:
        """The listeners by name, `listen` as the one that it is short for."""
        return self.listeners if self.listen is None else {DEFAULT_LISTENER: Listener(self.listen)}

    @property
    def all_routes(self) -> tuple[Route, ...]:
        """The routes in order; where none is declared, the one that sends everything to the only pool."""
        return self.routes or (Route(pool=next(iter(self.pools))),)

    @property
    def provenance(self) -> Provenance:
        """Where each key was declared, where a file did."""
        return self._provenance

    def note_provenance(self, provenance: Provenance) -> None:
        """Keep where each key was declared; for who loads a configuration."""
        self._provenance = provenance

    @classmethod
    def _place(cls, path: Path) -> Path:
        return place_of(path)

    @classmethod
    def _faults(cls, written: Mapping[str, Any]) -> Iterable[Found]:
        yield from _listening_faults(written)
        pools = written.get("pools")
        names = [str(name) for name in pools] if isinstance(pools, Mapping) else []
        routes = written.get("routes")
        if isinstance(routes, list | tuple) and routes:
            yield from _route_faults(routes, names)
        elif not routes and not names:
            yield ("pools",), "nothing is declared to serve", 'write [pools.app] and then endpoints = ["10.0.0.1:80"]'
        elif not routes and len(names) > 1:
            yield ("routes",), f"there are {len(names)} pools and no route", f'write [[routes]] and then pool = "{names[0]}"'
        yield from _stand_in_faults(pools if isinstance(pools, Mapping) else {}, names)


def _route_faults(routes: Iterable[object], pools: list[str]) -> Iterator[Found]:
    seen: dict[str, int] = {}
    for index, route in enumerate(routes):
        name, pool = (route.get(key) if isinstance(route, Mapping) else getattr(route, key, None) for key in ("name", "pool"))
        if isinstance(name, str) and seen.setdefault(name, index) != index:
            yield ("routes", index, "name"), f'routes[{seen[name]}] is called "{name}" too', "give each its own name"
        if isinstance(pool, str) and pool not in pools:
            known = f"the pools are {', '.join(pools)}" if pools else f"write [pools.{pool}]"
            yield ("routes", index, "pool"), f'there is no pool "{pool}"', suggest(pool, pools) or known


def _stand_in_faults(pools: Mapping[str, object], names: list[str]) -> Iterator[Found]:
    """Pools that send their requests to another while all their endpoints are down: to one that exists, and never round in a circle."""
    ahead = {str(name): other for name, pool in pools.items() if (other := _stand_in(pool)) is not None}
    for name, other in ahead.items():
        path = ("pools", name, "when_all_down")
        if other not in names:
            yield path, f'there is no pool "{other}"', suggest(other, names) or f"the pools are {', '.join(names)}"
            continue
        passed, following = [name], ahead.get(name)
        while following is not None and following not in passed:
            passed.append(following)
            following = ahead.get(following)
        if following == name:
            said = "names its own pool" if len(passed) == 1 else f"leads in a circle: {', '.join(passed)} and back"
            yield path, said, 'name a pool that stands behind none of them, or write "try_all"'


def _stand_in(pool: object) -> str | None:
    """The pool that another's `when_all_down` names, as it was written."""
    written = pool.get("when_all_down") if isinstance(pool, Mapping) else getattr(pool, "when_all_down", None)
    policy = written.get("policy") if isinstance(written, Mapping) else getattr(written, "policy", written)
    return policy.removeprefix("pool:") if isinstance(policy, str) and policy.startswith("pool:") and policy != "pool:" else None


def _listening_faults(written: Mapping[str, Any]) -> Iterator[Found]:
    listen, listeners = written.get("listen"), written.get("listeners")
    if listen is None and not listeners:
        yield ("listen",), "no address to listen on", 'write listen = "127.0.0.1:8080", or a table [listeners.web] with bind'
    if listen is not None and listeners:
        yield ("listen",), "stands beside [listeners]", "listen is short for one listener; keep one of the two"
    if isinstance(listen, list | tuple) and not listen:
        yield ("listen",), "is empty", 'write listen = "127.0.0.1:8080"'
    seen: dict[str, str] = {}
    for path, address in (*_bound(("listen",), listen), *_bound(("admin",), written.get("admin")), *_listener_binds(listeners)):
        place = path_text(place_of(path))
        first = seen.setdefault(str(address), place) if address.port else place
        if first != place:
            yield path, f'"{address}" is bound by {first} too', "give each its own address"


def _listener_binds(listeners: object) -> Iterator[tuple[tuple[str | int, ...], Address]]:
    for name, listener in listeners.items() if isinstance(listeners, Mapping) else ():
        bind = listener.get("bind") if isinstance(listener, Mapping) else getattr(listener, "bind", None)
        yield from _bound(("listeners", str(name), "bind"), bind)


def _bound(path: tuple[str | int, ...], written: object) -> Iterator[tuple[tuple[str | int, ...], Address]]:
    """The addresses of a `bind` as it was written, each with its path; without those that are themselves at fault."""
    many = isinstance(written, list | tuple)
    for index, each in enumerate(written if isinstance(written, list | tuple) else (written,)):
        try:
            address = each if isinstance(each, Address) else Address.parse(each)
        except Malformed:
            continue
        yield ((*path, index) if many else path), address
