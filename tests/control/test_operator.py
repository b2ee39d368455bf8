"""Orders of operators are felt before they return, go before what is judged, and outlive the gateway."""

from collections.abc import Iterator
from typing import Any

import pytest

from forebay import ForebayError, Pool
from forebay.control.keep import Kept
from forebay.control.operator import Note, Unknown
from forebay.control.overlays import load

from .house import ONE, REFUSED, TWO, House


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    house.health.turn()
    house.run(1.0)
    yield house
    house.engine.shutdown()


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
    house.answers[ONE] = REFUSED
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


def test_a_weight_alone_is_told_without_a_status_that_would_end_what_the_engine_holds_back(house: House) -> None:
    house.operator.endpoint("weight", "app", ONE, Note(), 7)
    assert house.engine.stands[-1]["pools"]["app"]["endpoints"][ONE] == {"status": None, "for": None, "weight": 7}
    assert house.told(ONE) == {"status": "healthy", "for": None, "weight": 7}


def test_a_pool_that_comes_back_is_under_its_hold_again(house: House) -> None:
    house.operator.pool("hold", "app", Note("incident"))
    config = house.loop.desired.config
    house.loop.change(lambda _: config.model_copy(update={"pools": {"other": Pool([TWO])}, "routes": []}))
    house.health.turn()
    house.loop.change(lambda _: config)
    house.health.turn()
    assert {"app": {"held": True}} in [stand["pools"] for stand in house.engine.stands[-3:]]
    house.run(1.0)
    house.answers[ONE] = REFUSED
    house.run(6.0)
    assert house.status(ONE) != "down"


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
    house.answers[ONE] = REFUSED
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
