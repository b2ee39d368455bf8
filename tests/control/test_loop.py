"""The loop publishes what changed, once, and stays alive."""

import threading
from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

import pytest

from forebay import ConfigError, Endpoint, Gateway, ListenError, Pool
from forebay.config.schema import GatewayConfig
from forebay.config.sources import Source
from forebay.control.engine import BindError, Callables, EngineError
from forebay.control.loop import Loop, encode
from forebay.testing import FakeClock, FakeEngine


class Observer:
    """Addresses by script."""

    def __init__(self) -> None:
        self.wanted: list[set[str]] = []
        self.addresses: dict[str, list[str]] = {}
        self.endpoints: list[Endpoint] = []
        self.doubted: list[tuple[str, str]] = []
        self.due = inf
        self.silent: set[str] = set()
        self.turned = threading.Event()

    def want(self, sources: Mapping[str, Source]) -> None:
        self.wanted.append(set(sources))

    def resolved(self) -> dict[str, list[str]]:
        return self.addresses

    def lists(self) -> dict[str, list[Endpoint]]:
        return {"srv:_http._tcp.app.example (pools.app)": self.endpoints}

    def doubt(self, pool: str, endpoint: str) -> None:
        self.doubted.append((pool, endpoint))

    def report(self) -> list[dict[str, Any]]:
        return [{"source": name} for name in sorted(self.wanted[-1])]

    def errors(self) -> dict[str, str]:
        return {name: "not found" for name in self.wanted[-1] if name not in self.addresses}

    def pending(self) -> set[str]:
        return self.silent

    def turn(self, _now: float) -> float:
        self.turned.set()
        return self.due


def gateway(*endpoints: str) -> Gateway:
    return Gateway(listen="127.0.0.1:0", pools={"app": Pool(list(endpoints))})


class House:
    """A loop on a fake engine, without its thread."""

    def __init__(self, config: GatewayConfig) -> None:
        self.clock = FakeClock(100)
        self.observer = Observer()
        self.loop = Loop(config, self.observer, self.clock)
        self.engine = FakeEngine(encode(self.loop.effective.snapshot))
        self.loop.serve(self.engine)

    @property
    def targets(self) -> list[str | None]:
        return [each["target"] for each in self.engine.snapshot["pools"]["app"]["endpoints"]]


@pytest.fixture
def house() -> Iterator[House]:
    house = House(gateway("10.0.0.1:80", "app.example:80"))
    yield house
    house.engine.shutdown()


def refuse(house: House, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def apply(_delta: bytes, _callables: Callables) -> int:
        raise error

    monkeypatch.setattr(house.engine, "apply", apply)


def test_the_first_snapshot_is_there_at_once_with_names_that_have_no_address_yet(house: House) -> None:
    assert house.engine.number() == 1
    assert house.targets == ["10.0.0.1:80", None]
    assert house.observer.wanted[-1] == {"app.example:80"}
    assert house.loop.unresolved() == {"app.example:80": "not found"}


def test_addresses_that_came_are_published_as_a_delta_of_their_pool_alone(house: House) -> None:
    house.observer.addresses["app.example:80"] = ["10.0.0.7:80", "10.0.0.8:80"]
    house.loop.turn()
    assert house.targets == ["10.0.0.1:80", "10.0.0.7:80", "10.0.0.8:80"]
    assert house.engine.deltas[0]["base"] == 1
    assert house.engine.deltas[0]["number"] == 2
    assert list(house.engine.deltas[0]["pools"]) == ["app"]
    assert house.engine.deltas[0]["routes"] == []


def test_endpoints_that_were_found_stand_behind_those_that_are_declared() -> None:
    pool = Pool(["10.0.0.1:80"], discovery={"srv": "_http._tcp.app.example"})
    house = House(Gateway(listen="127.0.0.1:0", pools={"app": pool}))
    house.observer.endpoints = [Endpoint("10.0.0.9:81", weight=5)]
    house.loop.turn()
    assert [(each["target"], each["weight"]) for each in house.engine.snapshot["pools"]["app"]["endpoints"]] == [
        ("10.0.0.1:80", 1),
        ("10.0.0.9:81", 5),
    ]
    assert house.loop.discovery() == [{"source": "srv:_http._tcp.app.example (pools.app)"}]
    house.engine.shutdown()


def test_a_turn_that_observes_nothing_new_publishes_nothing(house: House) -> None:
    house.loop.turn()
    house.loop.turn()
    assert house.engine.deltas == []


def test_a_turn_that_observes_nothing_new_makes_no_snapshot(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.loop.turn()
    monkeypatch.setattr(house.loop, "_snapshot", lambda *_: pytest.fail("made one"))
    house.loop.turn()


def test_a_turn_says_how_long_there_is_nothing_to_do(house: House) -> None:
    assert house.loop.turn() == inf
    house.observer.due = 100.5
    assert house.loop.turn() == 0.5
    house.observer.due = 99
    assert house.loop.turn() == 0


def test_a_change_is_published_before_the_call_returns_and_raises_the_revision(house: House) -> None:
    assert house.loop.change(lambda _: gateway("10.0.0.2:80", "new.example:80")) == 2
    assert house.targets == ["10.0.0.2:80", None]
    assert house.loop.desired.revision == 2
    assert house.observer.wanted[-1] == {"new.example:80"}


def test_a_new_name_is_looked_up_before_the_old_endpoints_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.observer.silent = {"new.example:80"}

    def answer(now: float) -> float:
        if "new.example:80" in house.observer.wanted[-1]:
            house.observer.addresses["new.example:80"] = ["10.0.0.5:80"]
            house.observer.silent = set()
        return now + 1000

    monkeypatch.setattr(house.observer, "turn", answer)
    house.loop.start()
    house.loop.change(lambda _: gateway("new.example:80"))
    house.loop.stop()
    assert house.targets == ["10.0.0.5:80"]
    assert [[each["target"] for each in delta["pools"]["app"]["endpoints"]] for delta in house.engine.deltas] == [["10.0.0.5:80"]]


def test_a_new_name_that_nobody_answers_for_is_not_waited_for_without_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forebay.control.loop._PATIENCE", 0.01)
    house.observer.silent = {"new.example:80"}
    house.loop.start()
    house.loop.change(lambda _: gateway("new.example:80"))
    house.loop.stop()
    assert house.targets == [None]


def test_a_change_to_the_same_raises_the_revision_and_publishes_nothing(house: House) -> None:
    assert house.loop.change(lambda config: config) == 1
    assert house.loop.desired.revision == 2
    assert house.engine.deltas == []


@pytest.mark.parametrize(
    ("refusal", "raised"),
    [(EngineError("regex parse error"), ConfigError), (BindError(98, "Address already in use", "127.0.0.1:1"), ListenError)],
    ids=["snapshot", "socket"],
)
def test_a_change_that_the_engine_refuses_raises_and_changes_nothing(
    house: House, refusal: Exception, raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = house.loop.desired, house.loop.effective
    refuse(house, refusal, monkeypatch)
    with pytest.raises(raised):
        house.loop.change(lambda _: gateway("10.0.0.2:80"))
    assert (house.loop.desired, house.loop.effective) == before
    assert house.observer.wanted[-1] == {"app.example:80"}


def test_a_change_that_raises_changes_nothing(house: House) -> None:
    def impossible(_config: GatewayConfig) -> GatewayConfig:
        raise ConfigError([])

    with pytest.raises(ConfigError):
        house.loop.change(impossible)
    assert house.loop.desired.revision == 1


def test_an_observation_that_cannot_be_published_is_told_and_tried_again_a_second_later(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        refuse(house, EngineError("no"), monkeypatch)
        house.observer.addresses["app.example:80"] = ["10.0.0.7:80"]
        assert house.loop.turn() == 1
    assert "the last one goes on serving" in caplog.text
    house.loop.turn()
    assert house.targets == ["10.0.0.1:80", "10.0.0.7:80"]


def test_the_thread_publishes_when_it_is_woken_and_ends_when_it_is_stopped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    published = threading.Event()
    apply = house.engine.apply

    def noted(delta: bytes, callables: Callables) -> int:
        number = apply(delta, callables)
        published.set()
        return number

    monkeypatch.setattr(house.engine, "apply", noted)
    house.loop.start()
    assert house.observer.turned.wait(10)
    house.observer.addresses["app.example:80"] = ["10.0.0.7:80"]
    house.loop.wake()
    assert published.wait(10)
    house.loop.stop()
