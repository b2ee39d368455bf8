"""A gateway's control without sockets and threads, on a clock that is told to go on."""

from collections.abc import Callable, Mapping
from typing import Any

from forebay import Endpoint, Gateway, Pool
from forebay.config.schema import GatewayConfig
from forebay.config.sources import Source
from forebay.control.events import Events
from forebay.control.health import Health
from forebay.control.keep import Kept
from forebay.control.loop import Loop, encode
from forebay.control.operator import Operator
from forebay.control.overlays import NONE, Overlays, save
from forebay.testing import FakeClock, FakeEngine

ONE, TWO, THREE = "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"
GOOD: list[Any] = [0.001, 200, None, None]
REFUSED: list[Any] = [0.001, None, "connect_refused", None]


class Nobody:
    """An observer of names that there are none of."""

    def __init__(self) -> None:
        self.doubted: list[tuple[str, str]] = []

    def want(self, sources: Mapping[str, Source]) -> None: ...

    def lists(self) -> dict[str, list[Endpoint]]:
        return {}

    def report(self) -> list[dict[str, Any]]:
        return []

    def doubt(self, pool: str, endpoint: str) -> None:
        self.doubted.append((pool, endpoint))

    def resolved(self) -> dict[str, list[str]]:
        return {}

    def errors(self) -> dict[str, str]:
        return {}

    def pending(self) -> set[str]:
        return set()

    def turn(self, _now: float) -> float:
        return float("inf")


class House:
    """A gateway without sockets and threads, on a clock that is told to go on."""

    def __init__(self, *pools: Pool, overlays: Overlays = NONE, kept: Kept | None = None) -> None:
        self.clock, self.wall = FakeClock(100.0), FakeClock(1_000_000.0)
        declared = pools or (Pool([ONE, TWO, THREE], health={"path": "/healthz"}),)
        names = ["app", "other"][: len(declared)]
        routes = [{"pool": name, "match": {"path": f"/{name}/*"}} for name in names]
        config: GatewayConfig = Gateway(listen="127.0.0.1:0", pools=dict(zip(names, declared, strict=True)), routes=routes)
        self.observer = Nobody()
        self.loop = Loop(config, self.observer, self.clock, overlays=overlays)
        self.answers: dict[str, list[Any] | None] = {}
        self.engine = FakeEngine(encode(self.loop.effective.snapshot), answers=lambda _pool, name: self.answers.get(name, GOOD))
        self.loop.serve(self.engine)
        self.events = Events(self.wall)
        self.health = Health(self.loop, self.engine, self.events, self.clock, self.wall)
        kept = kept or Kept(None)
        self.operator = Operator(self.loop, self.health, self.events, lambda orders: save(orders, kept), self.wall)

    def run(self, seconds: float, each: Callable[[], object] | None = None) -> None:
        """Let time pass in turns."""
        for _ in range(round(seconds / 0.05)):
            self.clock.advance(0.05)
            self.wall.advance(0.05)
            if each is not None:
                each()
            self.health.turn()

    def status(self, endpoint: str, pool: str = "app") -> str:
        return self.health.standing()[pool].endpoints[endpoint].status

    def told(self, endpoint: str, pool: str = "app") -> Any:
        return self.engine.standing.get(pool, {}).get(endpoint)

    @property
    def changes(self) -> list[tuple[str | None, str | None, str | None]]:
        return [(event.endpoint, event.before, event.after) for event in self.events.since() if event.kind == "status"]
