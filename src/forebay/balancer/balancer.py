"""A pool whose picks a program asks for itself."""

from __future__ import annotations

import math
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from forebay import _engine
from forebay.balance import Policy
from forebay.balancer.picked import Attempt, Counts, Hold, Member, Pick, PickedEndpoint
from forebay.config.pools import Endpoint, Pool, listed
from forebay.config.snapshot import pool_spec
from forebay.config.snapshot import seed as seed_of
from forebay.control.engine import refusals
from forebay.control.loop import encode
from forebay.errors import ConfigError, Fault, ForebayError, NoEndpoint

_NAME: Final = "balancer"
# The engine takes an endpoint for usable when it has an address to connect to. It never connects here.
_TARGET: Final = "0.0.0.0:1"


class Balancer:
    """A pool whose endpoints are picked by the engine, for the calls that a program makes itself.

        balancer = Balancer(["10.0.0.1:80", "10.0.0.2:80"], balance="least_connections")

    Of a `Pool`, `endpoints`, `balance`, `max_inflight` and `retry.attempts` count here; the rest is about what a gateway does. An endpoint
    that fails three times in a row is passed over for a second, as in a gateway. A host name is one endpoint, whatever it resolves to.

    Every method may be called from any thread and any event loop; none of them waits. A forked child goes on with counts of its own,
    from nothing, and what its parent had picked is nothing to it.

    Args:
        pool: a `Pool`, or what `Pool(...)` takes.
        balance: the policy, for a plain list of endpoints.
        seed: makes random picks repeatable. Without one they differ from process to process, but a key leads every process to the same
            endpoint.
        clock: seconds, monotonic; for tests.

    Raises:
        ConfigError: with every fault at once. Also for a policy that is a Python function: it needs the request that a gateway has.
    """

    _members: tuple[Member, ...]

    def __init__(
        self,
        pool: Pool | Iterable[str | Endpoint | Mapping[str, Any]],
        *,
        balance: Policy | str | None = None,
        seed: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(pool, Pool):
            pool = Pool(listed(pool), **({} if balance is None else {"balance": balance}))
        elif balance is not None:
            raise ConfigError([Fault("stands beside a Pool, which has its own", "balance", hint="write Pool(..., balance=...)")])
        if pool.balance.kind == "python":
            why = "is a Python function, which picks for the requests of a gateway"
            raise ConfigError([Fault(why, "balance", hint="write the rule as least(...), or call the function yourself")])
        self.clock = clock
        self._pool = pool
        self._declared_seed = seed
        self._start()
        _balancers.add(self)

    def pick(self, key: str | bytes | None = None, *, tried: Iterable[str | PickedEndpoint] = ()) -> Pick:
        """Pick an endpoint when the `with` block begins: `with balancer.pick() as endpoint:`.

        Args:
            key: what a `consistent_hash` policy sends to the same endpoint each time; a text counts as its UTF-8. Without one, its
                fallback picks. Other policies do not look at it.
            tried: endpoints, or their ids, that are not to be picked.

        Raises:
            NoEndpoint: where the block begins, when there is none to pick. It does not wait for one.
        """
        return Pick(self, _bytes(key), [each if isinstance(each, str) else each.id for each in tried])

    def attempts(self, most: int | None = None, *, key: str | bytes | None = None) -> Iterator[Attempt]:
        """Try one endpoint after another, none of them twice, until a block does not fail. By default `retry.attempts` of them.

            for attempt in balancer.attempts(3):
                with attempt as endpoint:
                    answer = httpx.get(f"http://{endpoint.address}/")

        The last error comes out of the loop. Repeat only what may run twice, or what certainly did not run.

        Raises:
            NoEndpoint: where a block begins, when there is none to pick and no error that tells more; after the last, when `failed` was
                said of it.
        """
        most = self._pool.retry.attempts if most is None else most
        sought = _bytes(key)
        before: list[Attempt] = []
        while not before or before[-1].has_failed:
            if len(before) >= most:
                raise NoEndpoint(f"all of {most} attempts failed, on {', '.join(attempt.id for attempt in before)}")
            attempt = Attempt(self, sought, before, is_last=len(before) + 1 == most)
            yield attempt
            before.append(attempt)

    def set_endpoints(self, endpoints: Iterable[str | Endpoint | Mapping[str, Any]]) -> None:
        """Have these endpoints from now on, all at once; those that stay keep what is counted and learned. Takes what `Pool(...)` takes.

        Blocks that run on an endpoint that goes are not disturbed.

        Raises:
            ConfigError: and then nothing has changed.
        """
        pool = self._pool.model_copy(update={"endpoints": Pool(listed(endpoints)).endpoints})
        with self._lock, refusals():
            self._native.update(_encoded(pool, self._seed), self.clock())
            known = {member.id: member.counts for member in self._members}
            self._pool = pool
            self._members = _members(pool, known)

    def report(self, endpoint: str | PickedEndpoint, load: float, metrics: Mapping[str, float] | None = None) -> None:
        """Tell what a server said of itself: `load`, 0 to 1, and named metrics; policies read them as `reported_load` and `reported`.

        As in a gateway, a load beyond 0 to 1 counts as the nearest of these, and a metric that is no finite number is left out.

        Raises:
            ForebayError: when the pool has no such endpoint, or the load is no finite number.
        """
        if not math.isfinite(load):
            raise ForebayError(f"{load} is no load", hint="report a number from 0 to 1")
        finite = {name: value for name, value in (metrics or {}).items() if math.isfinite(value)}
        name = endpoint if isinstance(endpoint, str) else endpoint.id
        with self._lock:
            index = next((index for index, member in enumerate(self._members) if member.id == name), None)
            if index is None:
                raise ForebayError(f'there is no endpoint "{name}"', hint=f"there are {_listed(member.id for member in self._members)}")
            self._native.report(index, self.clock(), min(max(load, 0.0), 1.0), finite)

    def statistics(self) -> dict[str, dict[str, float]]:
        """By endpoint, in declared order: `picks`, `failures`, `share` of the picks (0 to 1), `inflight`, and what policies read besides:
        `weight`, `latency` and `service_time` (s), `error_rate` (0 to 1), `age` (s), `reported_load` (0 to 1).

        What is learned shows ten times a second, at a pick.
        """
        with self._lock:
            columns = self._native.columns(self.clock())
            total = sum(member.counts.picks for member in self._members)
            return {
                member.id: {
                    "picks": member.counts.picks,
                    "failures": member.counts.failures,
                    "share": member.counts.picks / total if total else 0.0,
                    **{name: column[index] for name, column in columns.items()},
                    "inflight": round(columns["inflight"][index]),
                }
                for index, member in enumerate(self._members)
            }

    def take(self, key: bytes | None, tried: Sequence[str]) -> Hold:
        """Take a place; a pick does so when its block begins."""
        # The lock holds the engine's places and our members together while set_endpoints changes both.
        with self._lock:
            members = self._members
            places = [index for index, member in enumerate(members) if member.id in tried] if tried else ()
            picked = self._native.pick(self.clock(), key, places)
            if picked is None:
                raise self._no_endpoint(tried)
            ticket, index = picked
            member = members[index]
            member.counts.picks += 1
            return Hold(member, ticket, self._native)

    def count_failure(self, hold: Hold) -> None:
        """Count it; a pick does so when it has failed."""
        with self._lock:
            hold.member.counts.failures += 1

    def _start(self) -> None:
        """Begin, or begin anew in a forked child, where another thread may have held the lock."""
        self._lock = threading.Lock()
        self._seed: int = self._choose_seed()
        self._members = _members(self._pool, {})
        with refusals():
            self._native: _engine.Balancer = _engine.Balancer(_encoded(self._pool, self._seed), self.clock())

    def _choose_seed(self) -> int:
        if self._declared_seed is not None:
            return self._declared_seed
        return seed_of(_NAME) if self._pool.balance.kind == "consistent_hash" else secrets.randbits(64)

    def _no_endpoint(self, tried: Sequence[str]) -> NoEndpoint:
        able = [member.id for member in self._members if member.weight > 0]
        left = [name for name in able if name not in tried]
        if not left:
            return NoEndpoint(f"every endpoint has been tried: {_listed(able)}", hint="try fewer times, or add endpoints")
        which = f"the endpoints not tried yet, {_listed(left)}, are" if len(left) < len(able) else f"all endpoints, {_listed(left)}, are"
        return NoEndpoint(f"{which} at their max_inflight of {self._pool.max_inflight}", hint="come back later, or raise it")


_balancers: weakref.WeakSet[Balancer] = weakref.WeakSet()


def _start_anew_in_a_child() -> None:
    for balancer in list(_balancers):
        balancer._start()  # noqa: SLF001 - its own module


os.register_at_fork(after_in_child=_start_anew_in_a_child)


def _members(pool: Pool, known: Mapping[str, Counts]) -> tuple[Member, ...]:
    named = ((each.id or str(each.address), each) for each in pool.endpoints)
    return tuple(Member(name, each.address, each.weight, known.get(name) or Counts()) for name, each in named)


def _encoded(pool: Pool, seed: int) -> bytes:
    # With its address for an id, a name stays the one endpoint that it was declared as. Connections and cookies are the client's.
    named = tuple(each.model_copy(update={"id": each.id or str(each.address)}) for each in pool.endpoints)
    resolved = {str(each.address): [_TARGET] for each in named}
    spec = pool_spec(_NAME, pool.model_copy(update={"endpoints": named, "max_connections": None, "affinity": None}), resolved)
    return encode({**spec, "seed": seed})


def _bytes(key: object) -> bytes | None:
    if key is None or isinstance(key, bytes):
        return key
    if isinstance(key, str):
        return key.encode()
    raise TypeError(f"a key is str or bytes, not {type(key).__name__}")


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown  # noqa: PLR2004 - as many as a line takes
