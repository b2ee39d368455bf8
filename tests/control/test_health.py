"""What is observed becomes each endpoint's status, the engine is told of it, and the events say so."""

import threading
from collections.abc import Iterator

import pytest

from forebay import Pool
from forebay.testing import FakeEngine

from .house import GOOD, ONE, REFUSED, THREE, TWO, House

COUNTED = {"answers": 0, "errors": 0, "failures": 0, "log_latency": 0.0}


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
    house.answers[ONE] = REFUSED
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
    house.answers[ONE] = REFUSED
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


def test_what_the_engine_told_is_believed_no_longer_once_events_of_it_were_lost(house: House) -> None:
    house.engine.happen("app", ONE, "reflex", "connect_refused")
    house.health.turn()
    assert house.status(ONE) == "down"
    house.engine.lost = 3
    house.health.turn()
    assert house.status(ONE) == "healthy", "it may have recovered in one of them"
    house.engine.happen("app", ONE, "reflex", "connect_refused")
    house.health.turn()
    assert house.status(ONE) == "down", "the same loss counts once"


def test_one_that_the_engine_spares_for_its_silence_is_suspect_and_not_told_back(house: House) -> None:
    house.engine.happen("app", ONE, "reflex", "slow")
    house.health.turn()
    shown = house.health.standing()["app"].endpoints[ONE]
    assert (shown.status, shown.code) == ("suspect", "slow")
    assert house.told(ONE)["status"] == "healthy"
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
    house.answers[ONE] = REFUSED
    house.run(6.0)
    last = [event for event in house.events.since() if event.endpoint == ONE][-1]
    shown = house.health.standing()["app"].endpoints[ONE]
    assert (last.after, last.reason, last.text) == (shown.status, shown.code, shown.reason)
    assert house.told(ONE)["status"] == shown.status
    assert last.at == pytest.approx(house.wall() - shown.since, abs=0.1)


def test_a_change_of_the_configuration_keeps_the_status_of_what_stays(house: House) -> None:
    house.answers[ONE] = REFUSED
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


def test_one_that_left_and_came_back_unseen_is_told_its_status_again(house: House) -> None:
    del house.engine.standing["app"][ONE]
    house.engine.counts["app"] = {ONE: {**COUNTED, "status": "unknown"}, TWO: {**COUNTED, "status": "healthy"}}
    stands = len(house.engine.stands)
    house.health.turn()
    assert [stand["pools"] for stand in house.engine.stands[stands:]] == [{"app": {"endpoints": {ONE: house.told(ONE)}}}]
    assert house.told(ONE) == {"status": "healthy", "for": None, "weight": None}


def test_one_that_is_down_serves_again_once_its_pool_is_probed_no_more(house: House) -> None:
    house.answers[ONE] = REFUSED
    house.run(6.0)
    assert house.told(ONE)["status"] == "down"
    house.loop.change(lambda old: old.model_copy(update={"pools": {"app": Pool([ONE, TWO, THREE])}}))
    house.health.turn()
    assert (house.status(ONE), house.told(ONE)["status"]) == ("healthy", "healthy")


def test_pools_are_judged_each_by_itself() -> None:
    house = House(Pool([ONE], health={"path": "/"}), Pool([ONE]))
    house.health.turn()
    house.run(1.0)
    assert (house.status(ONE, "app"), house.status(ONE, "other")) == ("healthy", "unknown")
    house.engine.counts = {"other": {ONE: {"answers": 3, "errors": 0, "failures": 0, "log_latency": -9.0}}}
    house.health.turn()
    assert house.status(ONE, "other") == "healthy"
    house.engine.shutdown()


def test_a_turn_that_fails_is_told_and_does_not_end_the_judging(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    turns: list[bool] = []
    went_on = threading.Event()

    def observe(engine: FakeEngine) -> bytes:
        turns.append(True)
        if len(turns) == 2:
            raise RuntimeError("a fault of ours")
        if len(turns) > 2:
            went_on.set()
        return whole(engine)

    whole = FakeEngine.observe
    monkeypatch.setattr(FakeEngine, "observe", observe)
    house.health.start()
    house.engine.nudge()
    assert went_on.wait(10)
    house.health.stop()
    house.engine.shutdown()
    assert "those in force go on" in caplog.text
