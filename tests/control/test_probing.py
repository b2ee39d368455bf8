"""Probes are spread, jittered and batched; what comes back is judged by what was declared."""

import json
import time
from itertools import pairwise
from typing import Any

import pytest

from forebay import Pool
from forebay.config.rules import pool_rules
from forebay.control.probing import Expected, Prober, Target, probe_spec
from forebay.failover.rules import ProbeRules


class Engine:
    """Notes what is ordered."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.commands: list[Target] = []

    @property
    def asked(self) -> list[str]:
        return [endpoint for order in self.orders for endpoint in order["endpoints"]]

    def prober(self) -> Prober:
        return Prober(lambda batch: self.orders.extend(json.loads(batch)), self.commands.append)


def pool(count: int = 3, **health: Any) -> Pool:
    return Pool([f"10.0.{number // 250}.{number % 250 + 1}:80" for number in range(count)], health={"path": "/healthz", **health})


def watch(prober: Prober, declared: Pool, now: float = 0.0, name: str = "app") -> None:
    endpoints = [{"id": str(each.address), "target": str(each.address)} for each in declared.endpoints]
    prober.update(name, declared, endpoints, pool_rules(declared).probes, now)


def answered(prober: Prober, name: str = "app") -> None:
    for target in prober.groups[name].targets.values():
        target.asked = None


def play(prober: Prober, engine: Engine, until: float, step: float = 0.01) -> dict[str, list[float]]:
    """When each was asked, if all answer at once."""
    times: dict[str, list[float]] = {}
    for tick in range(int(until / step) + 1):
        before = len(engine.orders)
        prober.turn(tick * step)
        for order in engine.orders[before:]:
            for endpoint in order["endpoints"]:
                times.setdefault(endpoint, []).append(tick * step)
        answered(prober)
    return times


def test_all_are_asked_at_the_start_and_then_about_once_an_interval() -> None:
    engine = Engine()
    prober = engine.prober()
    watch(prober, pool(3, interval="1s"))
    times = play(prober, engine, 20.0)
    for asked in times.values():
        assert asked[0] <= 0.02
        gaps = [after - before for before, after in pairwise(asked)]
        assert all(0.88 <= gap <= 1.13 for gap in gaps)
        assert len({round(gap, 2) for gap in gaps}) > 5, "the waits differ"


def test_ten_thousand_are_spread_over_the_interval() -> None:
    engine = Engine()
    prober = engine.prober()
    watch(prober, pool(10_000, interval="2s"))
    counts = []
    for tick in range(200):
        before = len(engine.asked)
        prober.turn(tick * 0.01)
        answered(prober)
        counts.append(len(engine.asked) - before)
    assert max(counts) <= 100
    assert 9_900 <= sum(counts) <= 11_000


def test_one_that_is_down_is_asked_at_its_own_interval() -> None:
    engine = Engine()
    prober = engine.prober()
    watch(prober, pool(1, interval="1s", down_interval="100ms", timeout="50ms"))
    [target] = prober.groups["app"].targets.values()
    target.down = True
    assert len(play(prober, engine, 2.0)["10.0.0.1:80"]) in range(17, 24)


def test_one_whose_answer_is_awaited_is_not_asked_again_until_that_is_hopeless() -> None:
    engine = Engine()
    prober = engine.prober()
    watch(prober, pool(1, interval="100ms", timeout="50ms"))
    for tick in range(500):
        prober.turn(tick * 0.01)
    assert len(engine.asked) == 1
    for tick in range(500, 540):
        prober.turn(tick * 0.01)
    assert len(engine.asked) == 2


def test_a_change_asks_the_new_one_at_once_and_the_gone_one_no_more() -> None:
    engine = Engine()
    prober = engine.prober()
    first, second = pool(2), pool(3)
    watch(prober, first)
    prober.turn(0.1)
    answered(prober)
    kept = dict(prober.groups["app"].targets)
    watch(prober, second.model_copy(update={"endpoints": second.endpoints[1:]}), 0.2)
    engine.orders.clear()
    prober.turn(0.25)
    assert engine.asked == ["10.0.0.3:80"]
    assert prober.groups["app"].targets["10.0.0.2:80"] is kept["10.0.0.2:80"]
    answered(prober)
    engine.orders.clear()
    prober.turn(10.0)
    assert sorted(engine.asked) == ["10.0.0.2:80", "10.0.0.3:80"]


def test_a_name_without_an_address_is_not_asked() -> None:
    engine = Engine()
    prober = engine.prober()
    declared = Pool(["app.example:80"], health={})
    prober.update("app", declared, [{"id": "app.example:80", "target": None}], pool_rules(declared).probes, 0.0)
    prober.turn(1.0)
    assert engine.orders == []


def test_a_pool_without_the_table_is_not_asked_any_more() -> None:
    engine = Engine()
    prober = engine.prober()
    watch(prober, pool(2))
    watch(prober, Pool(["10.0.0.1:80"]))
    prober.turn(1.0)
    assert (engine.orders, prober.groups) == ([], {})


def test_one_of_whom_something_was_heard_is_asked_at_once_but_not_twice() -> None:
    engine = Engine()
    prober = engine.prober()
    watch(prober, pool(2))
    prober.turn(0.1)
    answered(prober)
    engine.orders.clear()
    prober.hurry("app", "10.0.0.2:80", 0.2)
    prober.hurry("app", "10.0.0.2:80", 0.2)
    prober.hurry("app", "10.0.0.9:80", 0.2)
    prober.hurry("other", "10.0.0.2:80", 0.2)
    assert engine.asked == ["10.0.0.2:80"]


def test_a_command_goes_to_a_worker_and_not_to_the_engine() -> None:
    engine = Engine()
    prober = engine.prober()
    watch(prober, pool(2, path="/", type="command", command=["/usr/bin/check", "{host}"]))
    prober.turn(0.1)
    assert engine.orders == []
    assert [target.endpoint for target in engine.commands] == ["10.0.0.1:80", "10.0.0.2:80"]


@pytest.mark.parametrize(
    ("declared", "parts"),
    [
        (pool(1), ["GET /healthz HTTP/1.1\r\nhost: {address}\r\n", "user-agent: forebay\r\n\r\n"]),
        (pool(1, method="HEAD", headers={"X-Probe": "1", "Host": "in.example"}), ["HEAD /healthz ", "X-Probe: 1\r\n", "Host: in.example"]),
        (pool(1, fresh=True), ["connection: close\r\n"]),
        (Pool(["10.0.0.1:80"], host="app.example", health={}), ["GET / HTTP/1.1\r\nhost: app.example\r\n"]),
    ],
)
def test_the_request_is_what_was_declared(declared: Pool, parts: list[str]) -> None:
    assert declared.health is not None
    request = probe_spec(declared, declared.health)["request"]
    assert all(part in request for part in parts)
    assert request.endswith("\r\n\r\n")
    assert request.lower().count("host:") == 1


@pytest.mark.parametrize(("expect", "least"), [([], 0), (["220 "], 4), (["~^220 "], 1)])
def test_over_tcp_as_many_bytes_are_awaited_as_the_text_has(expect: list[str], least: int) -> None:
    declared = Pool(["10.0.0.1:25"], health={"type": "tcp", "send": "EHLO", "expect": expect})
    assert declared.health is not None
    spec = probe_spec(declared, declared.health)
    assert (spec["kind"], spec["send"], spec["expect_bytes"], spec["timeout"]) == ("tcp", "EHLO", least, 1.0)


@pytest.mark.parametrize(
    ("rules", "answer", "fault"),
    [
        (ProbeRules(), (200, None, None), None),
        (ProbeRules(), (399, None, None), None),
        (ProbeRules(), (404, None, None), "status 404"),
        (ProbeRules(), (None, "connect_refused", None), "connect_refused"),
        (ProbeRules(expect=("204",)), (200, None, None), "status 200"),
        (ProbeRules(expect=("204", "4xx")), (404, None, None), None),
        (ProbeRules(text="ready."), (200, None, "I am ready."), None),
        (ProbeRules(text="ready."), (200, None, "I am ready!"), "the answer does not hold ready."),
        (ProbeRules(text="~read[yi]$"), (200, None, "I am ready"), None),
        (ProbeRules(text="ready"), (200, None, None), "the answer does not hold ready"),
        (ProbeRules(text="bereit für"), (200, None, "bereit für".encode().decode("latin-1")), None),
        (ProbeRules(kind="tcp", expect=()), (None, None, None), None),
        (ProbeRules(kind="tcp", expect=(), text="~^220 "), (None, None, "220 mail"), None),
        (ProbeRules(kind="command", expect=()), (None, "/bin/check ended with 1", ""), "/bin/check ended with 1"),
    ],
)
def test_an_answer_passes_by_its_status_and_its_text(rules: ProbeRules, answer: Any, fault: str | None) -> None:
    assert Expected(rules).fault(*answer) == fault


def test_the_schedule_of_ten_thousand_costs_less_than_two_microseconds_a_probe() -> None:
    engine = Engine()
    prober = Prober(lambda _: None, engine.commands.append)
    watch(prober, pool(10_000, interval="2s"))
    began = time.process_time()
    for tick in range(800):
        prober.turn(tick * 0.01)
        if tick % 100 == 99:
            answered(prober)
    # Three times what it takes: this machine may be busy with something else.
    assert (time.process_time() - began) / 20_000 < 6e-6
