"""`forebay model`: tables for people, JSON for programs, and what to give where something is missing."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from forebay.model import pick_probability, power_of_two_response, shortest_queue_response
from forebay.model.state import State

Command = Callable[..., Any]


def rows(text: str) -> dict[str, list[str]]:
    """Each line of a table by its first word."""
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}


def test_shares_are_a_column_for_each_policy(forebay: Command) -> None:
    outcome = forebay(
        "model", "balance", "--policy", "weighted_random", "--policy", "least_connections", "--weights", "1,2,3", "--inflight", "0,2,5"
    )
    assert outcome.code == 0
    found = rows(outcome.out)
    assert found["endpoint"] == ["weight", "inflight", "weighted_random", "least_connections"]
    assert found["1"] == ["1", "0", "16.7", "%", "100.0", "%"]
    assert found["3"] == ["3", "5", "50.0", "%", "0.0", "%"]
    assert outcome.err == ""


def test_shares_in_json_are_those_of_the_library(forebay: Command) -> None:
    text = "least((inflight + 1) * latency / weight, choices=2)"
    fields = ["--field", "latency=5ms,0.08,1s", "--field", "reported:gpu=0.1,0.2,0.3"]
    outcome = forebay("model", "balance", "--policy", text, "--inflight", "1,2,3", *fields, "--json")
    shares = json.loads(outcome.out)["shares"]
    assert shares["endpoints"] == {
        "weight": [1, 1, 1],
        "inflight": [1, 2, 3],
        "latency": [0.005, 0.08, 1],
        "reported:gpu": [0.1, 0.2, 0.3],
    }
    expected = pick_probability(text, State(weight=[1, 1, 1], inflight=[1, 2, 3], latency=[0.005, 0.08, 1]))
    assert shares["probability"] == {text: list(expected)}


def test_response_times_are_multiples_of_the_service_time_or_times(forebay: Command) -> None:
    found = rows(forebay("model", "balance", "--servers", "10", "--load", "0.9").out)
    assert [found[name][0] for name in ("random", "round_robin", "power_of_two", "least_connections")] == ["10.00", "5.66", "3.06", "1.91"]
    found = rows(forebay("model", "balance", "--servers", "10", "--load", "0.9", "--service", "200ms").out)
    assert found["random"][:2] == ["2", "s"]
    assert found["least_connections"][:2] == ["382", "ms"]


def test_responses_in_json_are_in_seconds_where_the_service_time_is_given(forebay: Command) -> None:
    outcome = forebay("model", "balance", "--servers", "5", "--load", "0.8", "--service", "10ms", "--json")
    result = json.loads(outcome.out)
    means = {row["policy"]: row["mean"] for row in result["responses"]["policies"]}
    assert means["random"] == pytest.approx(0.05)
    assert means["least_connections"] == pytest.approx(shortest_queue_response(5, 0.8, 0.01))
    assert means["power_of_two"] == pytest.approx(power_of_two_response(5, 0.8, 0.01))
    assert result["responses"]["service"] == 0.01


def test_servers_alone_are_asked_about_hash_tables(forebay: Command) -> None:
    outcome = forebay("model", "balance", "--servers", "10", "--json")
    result = json.loads(outcome.out)
    assert set(result) == {"hash_tables"}
    tables = {row["table"]: row for row in result["hash_tables"]["tables"]}
    assert tables["rendezvous"] == {"table": "rendezvous", "peak": 1, "moved": pytest.approx(0.1)}
    assert 1 < tables["maglev"]["peak"] < 1.001 < tables["ring"]["peak"] < 1.2


def test_several_tables_stand_one_after_the_other(forebay: Command) -> None:
    out = forebay("model", "balance", "--weights", "1,2", "--servers", "2", "--load", "0.5").out
    assert out.index("Probability") < out.index("Mean response") < out.index("Hash tables")


def test_without_anyone_to_pick_it_says_so(forebay: Command) -> None:
    assert "No endpoint may be picked: every weight is 0." in forebay("model", "balance", "--weights", "0,0").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing to compute"),
        (["--policy", "random"], "--weights"),
        (["--load", "0.9"], "--servers"),
        (["--servers", "3", "--service", "1ms"], "--load"),
    ],
)
def test_what_is_missing_is_named(forebay: Command, arguments: list[str], words: str) -> None:
    outcome = forebay("model", "balance", *arguments)
    assert outcome.code == 2
    assert words in outcome.err
    assert outcome.out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--weights", "1,two"], 'error: --weights: "two" is no number; write numbers with commas between them, as 1,2,3\n'),
        (["--weights", "1,-2"], "error: --weights: a weight is negative"),
        (["--weights", "1,2", "--inflight", "1"], "error: --inflight: inflight has 1 values for 2 endpoints"),
        (["--weights", "1,2", "--field", "latency=1s,2s,3s"], "error: --field: latency has 3 values for 2 endpoints"),
        (["--inflight", "-1,2"], "error: --inflight: inflight is never negative, as -1 is; write numbers of 0 or more"),
        (["--weights", "1,2", "--field", "latency=1s,-0.5"], "error: --field: latency is never negative, as -0.5 is"),
        (["--weights", "1", "--field", "colour=1"], 'error: --field: "colour=1" names no field; write NAME=V,V,...'),
        (["--weights", "1", "--field", "latency"], 'error: --field: "latency" names no field'),
        (["--weights", "1", "--field", "reported:=1"], "names no field"),
        (["--weights", "1", "--field", "latency=5parsecs"], 'error: --field: "5parsecs" is no duration'),
        (["--weights", "1", "--policy", "randon"], 'error: --policy: unknown policy "randon"'),
        (["--weights", "1", "--policy", "python:a:b"], "error: --policy: what a Python callable picks has no formula"),
        (["--servers", "3", "--load", "1.2"], "error: --load: at a load of 1.2 queues grow without end"),
        (["--servers", "0"], "error: --servers: 0 servers make no sense"),
        (["--servers", "3", "--load", "0.5", "--service", "0s"], "error: --service: a mean service time of 0 makes no sense"),
    ],
)
def test_what_makes_no_sense_is_said_of_its_option(forebay: Command, arguments: list[str], words: str) -> None:
    outcome = forebay("model", "balance", *arguments)
    assert outcome.code == 2
    assert words in outcome.err
    assert outcome.out == ""


def test_other_commands_start_without_numpy() -> None:
    code = "import sys, forebay.cli; print('numpy' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"
