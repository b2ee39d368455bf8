"""The document at /status."""

import json

from forebay import Gateway, Pool, Statistics
from forebay.config.snapshot import snapshot
from forebay.control.loop import encode
from forebay.observe.status import About, document
from forebay.testing import FakeEngine


def shown(*, accepting: bool = True) -> dict[str, object]:
    gateway = Gateway(listen="127.0.0.1:0", pools={"app": Pool(["10.0.0.1:80", "http://app.example"])})
    ejected = {"status": "ejected", "reason": "3 failures in a row, the last connect_refused", "since": 0.4, "passed_over": 0.6}
    engine = FakeEngine(encode(snapshot(gateway, 4, {})), observed={"app": {"10.0.0.1:80": ejected}})
    about = About("0.1.0", 12, 3, accepting, "unix:/run/x/control.sock", {"app.example:80": "Name or service not known"})
    value = document(about, Statistics.parse(engine.statistics()))
    engine.shutdown()
    return value


def test_it_is_one_json_object_that_says_who_serves_what() -> None:
    value = shown()
    assert json.loads(json.dumps(value)) == value
    expected = {"version": "0.1.0", "pid": 12, "revision": 3, "snapshot": 4, "state": "serving", "control": "unix:/run/x/control.sock"}
    assert {key: value[key] for key in expected} == expected


def test_a_gateway_that_accepts_nothing_more_is_stopping() -> None:
    assert shown(accepting=False)["state"] == "stopping"


def test_an_endpoint_has_its_status_with_the_reason_and_how_long_ago_it_began() -> None:
    endpoint = shown()["pools"]["app"]["endpoints"]["10.0.0.1:80"]  # type: ignore[index]  # JSON
    assert (endpoint["status"], endpoint["since"], endpoint["passed_over"]) == ("ejected", 0.4, 0.6)
    assert "connect_refused" in endpoint["reason"]


def test_a_name_without_an_address_says_what_the_name_server_said() -> None:
    endpoint = shown()["pools"]["app"]["endpoints"]["app.example:80"]  # type: ignore[index]  # JSON
    assert endpoint["reason"] == "app.example:80 has no address yet: Name or service not known"


def test_latencies_are_the_quantiles_and_not_the_buckets() -> None:
    assert set(shown()["pools"]["app"]["latency"]) == {"count", "mean", "p50", "p99"}  # type: ignore[index]  # JSON
