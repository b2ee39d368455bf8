"""`forebay status`: a running gateway at a glance."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from forebay import Gateway, Pool, Running
from forebay.cli.status import duration, milliseconds
from forebay.testing import FakeEngine

Command = Callable[..., Any]

EJECTED = {
    "status": "ejected",
    "reason": "3 failures in a row, the last: connect_refused, and a reason so long that no terminal would hold it in one line",
    "since": 61,
    "passed_over": 9.0,
    "requests": 1234,
    "latency": {"count": 2, "sum": 0.04, "buckets": [[0.02048, 2]]},
}


engine = partial(FakeEngine, observed={"app": {"10.0.0.1:80": EJECTED}})


def declared(**keys: Any) -> Gateway:
    return Gateway(listen="127.0.0.1:0", access_log="off", pools={"app": Pool(["10.0.0.1:80", "10.0.0.2:80"])}, **keys)


@pytest.fixture
def running(home: Path) -> Iterator[Running]:
    assert home.parent.exists()
    with declared(admin="127.0.0.1:0").start(engine=engine) as running:
        yield running


def test_the_only_gateway_is_found_and_shown_in_full(forebay: Command, running: Running) -> None:
    outcome = forebay("status")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"serving for 0s on http://{running.address}" in outcome.out
    [line] = [line for line in outcome.out.splitlines() if "10.0.0.1:80" in line]
    for part in ("app", "ejected", "1m 1s", "1234", "18.4 ms", EJECTED["reason"]):
        assert str(part) in line


def test_the_whole_document_is_there_as_json(forebay: Command, running: Running) -> None:
    document = json.loads(forebay("status", "--json").out)
    assert document["pools"]["app"]["endpoints"]["10.0.0.1:80"]["requests"] == 1234
    assert document["pid"] == running.status()["pid"]


def test_a_gateway_can_be_named_by_its_socket_and_by_the_environment(
    forebay: Command, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    with declared().start(engine=engine) as other:
        assert json.loads(forebay("status", "--json", "--admin", other.control).out)["control"] == other.control
        monkeypatch.setenv("FOREBAY_ADMIN", running.control)
        assert json.loads(forebay("status", "--json").out)["control"] == running.control


def test_several_gateways_are_listed_and_none_is_taken(forebay: Command, running: Running) -> None:
    with declared().start(engine=engine) as other:
        outcome = forebay("status")
    assert (outcome.code, outcome.out) == (3, "")
    assert "2 gateways run; say which one" in outcome.err
    assert running.control in outcome.err
    assert other.control in outcome.err


def test_where_none_runs_it_cannot_be_reached(forebay: Command, home: Path) -> None:
    outcome = forebay("status")
    assert (outcome.code, outcome.out) == (3, "")
    assert f"error: no gateway of this user runs (looked for {home}/*/control.sock); start one" in outcome.err


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (59.9, "59s"), (61, "1m 1s"), (3600, "1h 0m"), (90000, "1d 1h"), (864000, "10d 0h")]
)
def test_a_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_latency_is_in_milliseconds_and_an_unknown_one_is_a_dash() -> None:
    assert (milliseconds(0.00125), milliseconds(None)) == ("1.2 ms", "-")


def test_a_source_of_endpoints_that_has_nothing_is_told_with_why(forebay: Command, home: Path) -> None:
    pools = {"app": Pool(discovery={"file": home / "endpoints.json"})}
    with Gateway(listen="127.0.0.1:0", access_log="off", pools=pools).start(engine=engine) as running:
        while running.status()["discovery"][0]["state"] != "empty":  # looked at twice a second; the test's limit ends this
            pass
        out = forebay("status").out
    assert f"file {home}/endpoints.json: nothing found: cannot be read: No such file or directory" in out
