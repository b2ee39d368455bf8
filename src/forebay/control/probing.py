"""Which endpoint is probed when, and whether what came back is a good answer."""

from __future__ import annotations

import json
import random
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from forebay.config.health import Health as HealthTable
from forebay.config.pools import Pool
from forebay.control.wheel import Wheel
from forebay.failover.rules import ProbeRules
from forebay.types import Address

Json = dict[str, Any]

_JITTER: Final = 0.1
"""Share of an interval by which each wait differs from it, at most, either way."""
_SPREAD: Final = 0.0002
"""Seconds between the first probes of two endpoints of a pool; a large pool's are spread over an interval at most."""
_TEXT_LOOKED_AT: Final = 16 * 1024
"""Bytes of an answer in which a text is looked for."""
_KEPT: Final = 5
"""Results kept of each endpoint."""
_LOST: Final = 5.0
"""Seconds beyond its timeout after which a result is no longer awaited."""
_STATUSES: Final = range(100, 600)


class Expected:
    """What a probe's answer must be."""

    def __init__(self, rules: ProbeRules) -> None:
        self._statuses = frozenset(status for status in _STATUSES if any(_matches(status, each) for each in rules.expect))
        self._http = rules.kind == "http"
        self.text = rules.text
        # An answer comes as one character for each byte; what is looked for is meant in UTF-8.
        text = None if rules.text is None else rules.text.encode().decode("latin-1")
        pattern = None if text is None else text[1:] if text.startswith("~") else re.escape(text)
        self._pattern = None if pattern is None else re.compile(pattern)

    def fault(self, status: int | None, cause: str | None, body: str | None) -> str | None:
        """Why an answer does not pass, in words; None for one that does."""
        if cause is not None:
            return cause
        if self._http and status not in self._statuses:
            return f"status {status}"
        if self._pattern is not None and self._pattern.search(body or "") is None:
            return f"the answer does not hold {self.text}"
        return None


def _matches(status: int, expected: str) -> bool:
    return expected == str(status) or (expected.endswith("xx") and expected[0] == str(status)[0])


@dataclass(eq=False, slots=True)
class Target:
    """One endpoint that is probed. `asked` is when the result that is still awaited was asked for; `down` decides the interval."""

    pool: str
    endpoint: str
    address: str
    group: Group
    results: deque[tuple[float, float, int | None, str | None]]
    asked: float | None = None
    gone: bool = False
    down: bool = False


@dataclass(eq=False, slots=True)
class Group:
    """The endpoints of a pool, which are all probed alike. `probe` is the engine's spec, as JSON text; None where a command is run."""

    rules: ProbeRules
    probe: str | None
    command: tuple[str, ...]
    expected: Expected
    targets: dict[str, Target]


class Prober:
    """The schedule. `order` hands a batch (JSON) to the engine, `run` one command to a worker."""

    def __init__(self, order: Callable[[bytes], None], run: Callable[[Target], None], seed: int = 0) -> None:
        self._order = order
        self._run = run
        self._wheel: Wheel[Target] = Wheel()
        self._random = random.Random(seed).random  # noqa: S311 - spreads, and protects nothing
        self.groups: dict[str, Group] = {}

    def update(self, name: str, pool: Pool, endpoints: Iterable[Mapping[str, Any]], rules: ProbeRules | None, now: float) -> None:
        """Probe these endpoints of a pool from now on; one that stays keeps its place in the schedule, a new one is asked at once."""
        old = self.groups.pop(name, None)
        if rules is None or pool.health is None:
            _retire(old.targets.values() if old else ())
            return
        spec = None if rules.kind == "command" else json.dumps(probe_spec(pool, pool.health), separators=(",", ":"))
        group = Group(rules, spec, pool.health.command, Expected(rules), {})
        # One who is asked differently from now on begins anew.
        kept = old.targets if old is not None and (old.rules, old.probe, old.command) == (rules, spec, group.command) else {}
        fresh = []
        for each in endpoints:
            if each["target"] is None:
                continue
            target = kept.get(each["id"])
            if target is None or target.address != each["target"]:
                target = Target(name, each["id"], each["target"], group, deque(maxlen=_KEPT))
                fresh.append(target)
            target.group = group
            group.targets[target.endpoint] = target
        _retire(target for target in (old.targets.values() if old else ()) if group.targets.get(target.endpoint) is not target)
        step = min(_SPREAD, rules.interval / max(len(fresh), 1))
        for number, target in enumerate(fresh):
            self._wheel.put(target, now + number * step)
        self.groups[name] = group

    def forget(self, name: str) -> None:
        """Probe a pool no more."""
        group = self.groups.pop(name, None)
        _retire(group.targets.values() if group else ())

    def turn(self, now: float) -> float:
        """Have those asked that are due; returns when the next are."""
        batches: dict[str, list[str]] = {}
        put, random_number = self._wheel.put, self._random
        for target in self._wheel.take(now):
            if target.gone:
                continue
            rules = target.group.rules
            interval = rules.down_interval if target.down else rules.interval
            put(target, now + interval * (1 - _JITTER + 2 * _JITTER * random_number()))
            if _awaited(target, now):
                continue
            target.asked = now
            if target.group.probe is None:
                self._run(target)
            else:
                batches.setdefault(target.pool, []).append(target.endpoint)
        if batches:
            parts = (
                f'{{"pool":{json.dumps(pool)},"probe":{self.groups[pool].probe},"endpoints":{json.dumps(names)}}}'
                for pool, names in batches.items()
            )
            self._order(f"[{','.join(parts)}]".encode())
        return self._wheel.due

    def target(self, pool: str, endpoint: str) -> Target | None:
        """One that is probed; None for one that is not."""
        return self.groups[pool].targets.get(endpoint) if pool in self.groups else None

    def hurry(self, pool: str, endpoint: str, now: float) -> None:
        """Ask one at once, beside its schedule: something happened that a probe can tell more of."""
        target = self.target(pool, endpoint)
        if target is None or _awaited(target, now):
            return
        target.asked = now
        if target.group.probe is None:
            self._run(target)
        else:
            batch = f'[{{"pool":{json.dumps(pool)},"probe":{target.group.probe},"endpoints":[{json.dumps(endpoint)}]}}]'
            self._order(batch.encode())


def _awaited(target: Target, now: float) -> bool:
    # A result that never comes must not end the probing of an endpoint.
    return target.asked is not None and now - target.asked < target.group.rules.timeout + _LOST


def _retire(targets: Iterable[Target]) -> None:
    for target in targets:
        target.gone = True


def probe_spec(pool: Pool, health: HealthTable) -> Json:
    """What the engine is told of a probe; see `Engine.probe`."""
    looked_at = _TEXT_LOOKED_AT if health.text is not None else 0
    if health.type == "tcp":
        return {"kind": "tcp", "send": health.send, "expect_bytes": _least(health.text), "timeout": health.probe_timeout}
    return {
        "kind": "http",
        "request": _request(pool, health),
        "timeout": health.probe_timeout,
        "fresh": health.fresh,
        "body": looked_at,
    }


def _least(text: str | None) -> int:
    """Bytes without which an answer cannot hold the text; what came with them is looked at too."""
    if text is None:
        return 0
    return 1 if text.startswith("~") else len(text.encode())


def _request(pool: Pool, health: HealthTable) -> str:
    names = {name.lower() for name in health.headers}
    host = "{address}" if pool.host in {"client", "endpoint"} else pool.host
    fields = [
        *([] if "host" in names else [("host", host)]),
        *([] if "user-agent" in names else [("user-agent", "forebay")]),
        *health.headers.items(),
        *([("connection", "close")] if health.fresh and "connection" not in names else []),
    ]
    return f"{health.method} {health.path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n"


def command_line(target: Target) -> list[str]:
    """The program and its arguments, filled in for one endpoint."""
    address = Address.parse(target.address)
    parts = {"address": target.address, "host": address.host, "port": str(address.port)}
    return [re.sub(r"\{(address|host|port)\}", lambda found: parts[found[1]], each) for each in target.group.command]
