"""`forebay simulate`."""

import json
from pathlib import Path

import pytest

from forebay.simulate import PRESETS

from .conftest import Command

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning:matplotlib")


def test_policies_stand_side_by_side(forebay: Command) -> None:
    done = forebay("simulate", "--preset", "unequal", "--policies", "oracle, shortest_expected_delay, round_robin", "--requests", "2000")
    assert done.code == 0
    assert "8 servers, and 2 at a quarter of their speed" in done.err
    assert "2,000 requests" in done.err
    lines = done.out.splitlines()
    assert lines[0].split()[:4] == ["policy", "p50", "p90", "p99"]
    assert [line.split()[0] for line in lines[2:]] == ["oracle", "shortest_expected_delay", "round_robin"]


def test_every_case_is_told_without_a_simulation(forebay: Command) -> None:
    done = forebay("simulate", "--presets")
    assert (done.code, done.err) == (0, "")
    rows = {line.split()[0]: line.split()[1:4] for line in done.out.splitlines()[2:]}
    assert list(rows) == list(PRESETS)
    assert rows["unequal-gateways"] == ["10", "10", "0.7"]
    assert rows["alone"] == ["1", "1", "0.5"]


def test_one_server_is_no_servers(forebay: Command) -> None:
    assert "; 1 server, 100 requests" in forebay("simulate", "--preset", "alone", "--policies", "random", "--requests", "100").err


def test_the_largest_seed_serves_every_gateway(forebay: Command) -> None:
    command = ("simulate", "--gateways", "100", "--policies", "random", "--requests", "100")
    assert forebay(*command, "--seed", str(2**63 - 1)).code == 0


def test_figures_as_json_are_the_same_for_the_same_seed(forebay: Command) -> None:
    command = ("simulate", "--policies", "oracle,random", "--requests", "1000", "--seed", "5", "--json")
    first, second = forebay(*command), forebay(*command)
    assert first.out == second.out
    figures = json.loads(first.out)
    assert figures["preset"] == "unequal"
    assert [each["policy"] for each in figures["policies"]] == ["oracle", "random"]
    assert sum(figures["policies"][0]["shares"]) == pytest.approx(1.0)
    assert figures["policies"][0]["p50"] <= figures["policies"][0]["p99"] <= figures["policies"][0]["maximum"]


def test_servers_may_report_how_many_requests_they_have(forebay: Command) -> None:
    command = ("simulate", "--preset", "unequal-gateways", "--policies", "least_connections", "--requests", "2000", "--json")
    silent, told = (json.loads(forebay(*command, *more).out)["policies"][0] for more in ((), ("--reports",)))
    assert told["p99"] < silent["p99"]


def test_requests_come_as_in_an_access_log(forebay: Command, work: Path) -> None:
    (work / "access.log").write_text("".join(f'{{"time":"2026-03-01T12:00:{second:02}Z"}}\n' for second in range(20)))
    done = forebay("simulate", "--policies", "oracle", "--arrivals", "access.log", "--json")
    assert json.loads(done.out)["policies"][0]["requests"] == 20


def test_a_picture_is_drawn(forebay: Command, work: Path) -> None:
    assert forebay("simulate", "--policies", "oracle", "--requests", "500", "--plot", "picture.svg").code == 0
    assert (work / "picture.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--preset", "equl"), 'no preset "equl"; did you mean "equal"?'),
        (("--load", "0"), "the load is 0"),
        (("--gateways", "0"), "1 to 100"),
        (("--seed", "-1"), "the seed is -1; write a whole number from 0 to 9223372036854775807"),
        (("--seed", str(2**80)), "the seed is"),
        (("--requests", "10", "--warm-up", "1000"), "the warm-up of 1000 s leaves no request: the last request came after 0.0"),
        (("--policies", "lest(inflight)"), "lest"),
        (("--policies", "consistent_hash"), "keys of requests, which have none in this case; take the preset keys or caches"),
        (("--arrivals", "nowhere.log"), "nowhere.log: No such file"),
        (("--policies", "oracle", "--requests", "10", "--plot", "picture.gif"), "no picture"),
    ],
)
def test_bad_options_are_answered_with_what_to_do(forebay: Command, work: Path, options: tuple[str, ...], message: str) -> None:
    done = forebay("simulate", *options)
    assert done.code == 2
    assert message in done.err
    assert not done.out
