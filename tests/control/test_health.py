"""What is observed becomes each endpoint's status, the engine is told of it, and the events say so."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from forebay import Endpoint, Gateway, Pool
from forebay.config.schema import GatewayConfig
from forebay.config.sources import Source
from forebay.control import learned
from forebay.control.events import Events
from forebay.control.health import Health
from forebay.control.keep import Kept
from forebay.control.loop import Loop, encode
from forebay.control.operator import Note, Operator, Unknown
from forebay.control.overlays import NONE, Overlays, load, save
from forebay.errors import ForebayError
from forebay.testing import FakeClock, FakeEngine

ONE, TWO, THREE = "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"
GOOD: list[Any] = [0.001, 200, None, None]


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


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    house.health.turn()
    house.run(1.0)
    yield house
    house.engine.shutdown()


def test_at_the_start_each_is_asked_and_serves_after_its_first_passed_probe(house: House) -> None:
    assert {endpoint for batch in house.engine.probes for endpoint in batch["endpoints"]} == {ONE, TWO, THREE}
    assert [house.status(each) for each in (ONE, TWO, THREE)] == ["healthy"] * 3
    assert house.told(ONE) == {"status": "healthy", "for": None, "weight": None}


def test_one_whose_probes_fail_is_down_with_the_reason_and_comes_back_after_it_passes_again(house: House) -> None:
    house.answers[ONE] = [0.001, None, "connect_refused", None]
    house.run(6.0)
    shown = house.health.standing()["app"].endpoints[ONE]
    assert (shown.status, shown.code) == ("down", "connect_refused")
    assert "connect_refused" in shown.reason
    assert shown.next == "serves after 2 passed probes in a row"
    assert shown.probes[-1] == "connect_refused"
    assert house.told(ONE)["status"] == "down"
    house.answers[ONE] = GOOD
    house.run(6.0)
    assert (house.status(ONE), house.told(ONE)["status"]) == ("healthy", "healthy")
    assert [change[1:] for change in house.changes if change[0] == ONE][-2:] == [("healthy", "down"), ("down", "healthy")]


def test_a_probe_answered_503_drains(house: House) -> None:
    house.answers[TWO] = [0.001, 503, None, None]
    house.run(2.5)
    assert house.told(TWO)["status"] == "draining"
    assert house.events.latest(1)[0].reason == "probe_draining"


def test_what_does_not_change_is_not_told_again(house: House) -> None:
    stands = len(house.engine.stands)
    house.run(10.0)
    assert len(house.engine.stands) == stands


def test_the_engine_hears_which_observation_control_had_seen(house: House) -> None:
    house.engine.happen("app", ONE, "reflex", "connect_refused")
    house.answers[ONE] = [0.001, None, "connect_refused", None]
    house.run(6.0)
    assert house.engine.stands[-1]["seen"] == 1


def test_what_cannot_be_connected_to_has_its_name_looked_up_again(house: House) -> None:
    house.engine.happen("app", ONE, "reflex", "connect_refused")
    house.engine.happen("app", TWO, "reflex", "read_failed")
    house.health.turn()
    assert house.observer.doubted == [("app", ONE)]
    house.answers[THREE] = [0.001, None, "connect_timeout", None]
    house.run(3.0)
    assert ("app", THREE) in house.observer.doubted
    assert ("app", TWO) not in house.observer.doubted


def test_a_reflex_is_shown_at_once_and_a_probe_goes_out_to_it(house: House) -> None:
    asked = len(house.engine.probes)
    house.engine.happen("app", ONE, "reflex", "connect_refused")
    house.health.turn()
    assert house.status(ONE) == "down"
    assert [batch["endpoints"] for batch in house.engine.probes[asked:]] == [[ONE]]
    house.engine.happen("app", ONE, "recovered")
    house.health.turn()
    assert house.status(ONE) == "healthy"


def test_tiers_and_all_down_are_events_with_the_tier_that_serves(house: House) -> None:
    house.engine.happen("app", None, "tier", None, **{"from": 0, "to": 1})
    house.engine.pools["app"] = {"tier": 1}
    house.health.turn()
    assert house.health.standing()["app"].tier == 1
    assert house.health.standing()["app"].endpoints[ONE].role == "stands by"
    house.engine.happen("app", None, "all_down")
    house.engine.pools["app"] = {"tier": 1, "all_down": True}
    house.health.turn()
    assert house.health.standing()["app"].all_down
    house.engine.happen("app", None, "all_up")
    house.engine.happen("app", None, "tier", None, **{"from": 1, "to": 0})
    house.engine.pools["app"] = {}
    house.health.turn()
    kinds = [event.kind for event in house.events.since() if event.kind != "status"]
    assert kinds == ["promoted", "all_down", "recovered", "failed_back"]


def test_the_events_the_status_and_the_engine_agree(house: House) -> None:
    house.answers[ONE] = [0.001, None, "connect_refused", None]
    house.run(6.0)
    last = [event for event in house.events.since() if event.endpoint == ONE][-1]
    shown = house.health.standing()["app"].endpoints[ONE]
    assert (last.after, last.reason, last.text) == (shown.status, shown.code, shown.reason)
    assert house.told(ONE)["status"] == shown.status
    assert last.at == pytest.approx(house.wall() - shown.since, abs=0.1)


def test_a_change_of_the_configuration_keeps_the_status_of_what_stays(house: House) -> None:
    house.answers[ONE] = [0.001, None, "connect_refused", None]
    house.run(6.0)
    config = house.loop.desired.config
    pool = Pool([ONE, "10.0.0.9:80"], health={"path": "/healthz"})
    house.loop.change(lambda old: old.model_copy(update={"pools": {**config.pools, "app": pool}}))
    house.health.turn()
    assert house.status(ONE) == "down"
    assert list(house.health.standing()["app"].endpoints) == [ONE, "10.0.0.9:80"]
    house.run(1.0)
    assert house.status("10.0.0.9:80") == "healthy"


def test_a_result_of_one_that_has_gone_is_nothing(house: House) -> None:
    house.engine._results.append(["app", "10.9.9.9:80", 0.1, None, "unknown_endpoint", None, 0.0])
    house.engine._results.append(["gone", ONE, 0.1, None, "unknown_endpoint", None, 0.0])
    house.health.turn()
    assert house.status(ONE) == "healthy"


# --- orders


def test_a_drain_is_told_to_the_engine_before_the_order_returns(house: House) -> None:
    assert house.operator.endpoint("drain", "app", ONE, Note("deploy", 600.0))
    assert house.told(ONE) == {"status": "draining", "for": 600.0, "weight": None}
    shown = house.health.standing()["app"].endpoints[ONE]
    assert (shown.status, shown.reason, shown.next) == ("draining", "draining by an operator: deploy", "ends in 10m")
    assert shown.overlay[0]["reason"] == "deploy"
    assert house.operator.endpoint("undrain", "app", ONE, Note())
    assert house.told(ONE)["status"] == "healthy"


def test_an_order_ends_by_itself_and_that_is_an_event(house: House) -> None:
    house.operator.endpoint("disable", "app", ONE, Note("", 5.0))
    assert house.status(ONE) == "disabled"
    house.run(5.1)
    assert house.status(ONE) == "healthy"
    assert house.loop.desired.overlays == {}
    assert [event.reason for event in house.events.since() if event.kind == "operator"] == ["operator", "expired"]


def test_an_order_goes_before_what_was_judged_and_what_was_judged_holds_after_it(house: House) -> None:
    house.operator.endpoint("disable", "app", ONE, Note())
    house.answers[ONE] = [0.001, None, "connect_refused", None]
    house.run(6.0)
    assert house.status(ONE) == "disabled"
    house.operator.endpoint("enable", "app", ONE, Note())
    assert (house.status(ONE), house.told(ONE)["status"]) == ("down", "down")


def test_a_weight_stands_beside_a_drain_and_is_taken_back_by_itself(house: House) -> None:
    house.operator.endpoint("weight", "app", ONE, Note(), 7)
    house.operator.endpoint("drain", "app", ONE, Note())
    assert house.told(ONE) == {"status": "draining", "for": None, "weight": 7}
    house.operator.endpoint("weight", "app", ONE, Note(), None)
    assert house.told(ONE) == {"status": "draining", "for": None, "weight": None}


@pytest.mark.parametrize("verb", ["undrain", "enable"])
def test_taking_back_what_was_not_ordered_changes_nothing(house: House, verb: str) -> None:
    stands = len(house.engine.stands)
    assert not house.operator.endpoint(verb, "app", ONE, Note())
    assert len(house.engine.stands) == stands


@pytest.mark.parametrize(
    ("weight", "words"), [(-1, "not -1"), (1001, "not 1001"), (1.5, "not 1.5"), ("3", "not a string"), (True, "not a truth value")]
)
def test_a_weight_that_is_none_is_refused(house: House, weight: object, words: str) -> None:
    with pytest.raises(ForebayError, match=f"a weight is a whole number from 0 to 1000, {words}"):
        house.operator.endpoint("weight", "app", ONE, Note(), weight)


def test_an_unknown_pool_or_endpoint_is_said_with_those_there_are(house: House) -> None:
    with pytest.raises(Unknown, match=r'there is no pool "ap"; did you mean "app"\?'):
        house.operator.pool("release", "ap", Note())
    with pytest.raises(Unknown, match=r'the pool "app" has no endpoint "10\.0\.0\.4:80"'):
        house.operator.endpoint("drain", "app", "10.0.0.4:80", Note())


def test_a_held_pool_is_frozen_until_it_is_released(house: House) -> None:
    house.operator.pool("hold", "app", Note("incident"))
    assert house.engine.stands[-1]["pools"] == {"app": {"held": True}}
    house.answers[ONE] = [0.001, None, "connect_refused", None]
    house.run(6.0)
    assert house.status(ONE) == "healthy"
    held = house.health.standing()["app"].held
    assert held is not None
    assert held["reason"] == "incident"
    house.operator.pool("release", "app", Note())
    assert {"app": {"held": False}} in [stand["pools"] for stand in house.engine.stands]
    house.run(6.0)
    assert house.status(ONE) == "down"


def test_a_hold_needs_a_reason(house: House) -> None:
    with pytest.raises(ForebayError, match="a hold needs a reason"):
        house.operator.pool("hold", "app", Note())


def test_a_fail_back_is_ordered_only_where_another_tier_serves(house: House) -> None:
    assert not house.operator.pool("failback", "app", Note())
    house.engine.pools["app"] = {"tier": 1}
    assert house.operator.pool("failback", "app", Note())
    assert house.engine.stands[-1]["pools"] == {"app": {"failback": True}}


def test_what_cannot_be_kept_on_disk_changes_nothing(tmp_path: Any) -> None:
    house = House(kept=Kept(tmp_path / "gone"))
    house.health.turn()
    with pytest.raises(ForebayError, match="cannot be written"):
        house.operator.endpoint("drain", "app", ONE, Note())
    assert house.loop.desired.overlays == {}
    assert house.status(ONE) != "draining"
    house.engine.shutdown()


def test_orders_hold_from_the_first_turn_of_the_next_start(tmp_path: Any) -> None:
    first = House(kept=Kept(tmp_path))
    first.health.turn()
    first.operator.endpoint("drain", "app", ONE, Note("deploy", 600.0))
    first.operator.pool("hold", "app", Note("incident"))
    first.engine.shutdown()
    second = House(overlays=load(Kept(tmp_path), first.wall() + 100.0), kept=Kept(tmp_path))
    second.wall.advance(100.0)
    second.health.turn()
    assert second.told(ONE) == {"status": "draining", "for": pytest.approx(500.0), "weight": None}
    assert second.health.standing()["app"].held is not None
    second.engine.shutdown()


def test_an_endpoint_that_comes_back_is_under_its_order_again(house: House) -> None:
    house.operator.endpoint("drain", "app", ONE, Note())
    config = house.loop.desired.config
    without = config.model_copy(update={"pools": {"app": Pool([TWO], health={"path": "/healthz"})}})
    house.loop.change(lambda _: without)
    house.health.turn()
    house.loop.change(lambda _: config)
    house.health.turn()
    assert (house.status(ONE), house.told(ONE)["status"]) == ("draining", "draining")


def test_pools_are_judged_each_by_itself() -> None:
    house = House(Pool([ONE], health={"path": "/"}), Pool([ONE]))
    house.health.turn()
    house.run(1.0)
    assert (house.status(ONE, "app"), house.status(ONE, "other")) == ("healthy", "unknown")
    house.engine.counts = {"other": {ONE: {"answers": 3, "errors": 0, "failures": 0, "log_latency": -9.0}}}
    house.health.turn()
    assert house.status(ONE, "other") == "healthy"
    house.engine.shutdown()


# --- what was learned


def failing() -> House:
    house = House()
    house.health.turn()
    house.answers[ONE] = [0.001, None, "connect_refused", None]
    house.run(6.0)
    assert house.status(ONE) == "down"
    return house


def test_what_was_learned_goes_on_in_another_process(tmp_path: Any) -> None:
    first, second = failing(), House()
    learned.save(first.health, Kept(tmp_path))
    second.wall.now = first.wall.now + 5.0
    learned.load(second.health, Kept(tmp_path), second.wall())
    second.health.turn()
    shown = second.health.standing()["app"].endpoints[ONE]
    assert (shown.status, shown.code) == ("down", "connect_refused")
    assert shown.since >= 5.0
    assert second.told(ONE)["status"] == "down"
    assert second.told(TWO)["status"] == "healthy"
    for house in (first, second):
        house.engine.shutdown()


@pytest.mark.parametrize("name", ["cut short", "another version", "no table", "too old", "of another form"])
def test_what_is_no_such_thing_is_ignored_with_one_line_at_most(name: str, tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    first, second = failing(), House()
    state = first.health.state()
    whole = json.dumps(state)
    written = {
        "cut short": whole[:-20],
        "another version": json.dumps({**state, "version": 2}),
        "no table": "[]",
        "too old": json.dumps({**state, "at": first.wall.now - 601.0}),
        "of another form": json.dumps({**state, "pools": {"app": {ONE: "down"}}}),
    }
    (tmp_path / learned.FILE).write_text(written[name])
    with caplog.at_level(logging.WARNING):
        learned.load(second.health, Kept(tmp_path), first.wall.now)
    second.health.turn()
    assert second.status(ONE) == "unknown"
    ours = [record for record in caplog.records if "ignored" in record.message]
    assert len(ours) == (0 if name == "too old" else 1)
    for house in (first, second):
        house.engine.shutdown()


def test_of_what_was_learned_what_is_no_longer_there_is_nothing() -> None:
    first, second = failing(), House(Pool([TWO, "10.0.0.9:80"], health={"path": "/healthz"}))
    second.health.restore(first.health.state(), 1.0)
    second.health.turn()
    assert list(second.health.standing()["app"].endpoints) == [TWO, "10.0.0.9:80"]
    for house in (first, second):
        house.engine.shutdown()
