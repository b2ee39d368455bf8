"""`forebay policies`: the catalogue, on a terminal and as data."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from forebay.balance import DEFAULT, POLICIES

Command = Callable[..., Any]


def test_the_table_names_every_policy_and_marks_the_default(forebay: Command) -> None:
    outcome = forebay("policies")
    assert (outcome.code, outcome.err) == (0, "")
    rows = {line.split()[0]: line for line in outcome.out.splitlines() if line.strip()}
    assert set(POLICIES) <= set(rows)
    assert [name for name in POLICIES if "(the default)" in rows[name]] == [DEFAULT]


@pytest.mark.parametrize("name", POLICIES)
def test_one_policy_is_told_with_formula_source_and_advice(forebay: Command, name: str) -> None:
    outcome = forebay("policies", name)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"{name}: ")
    for label in ("written", "formula", "source", "use it", "not"):
        assert f"\n  {label} " in outcome.out


def test_a_score_policy_shows_the_line_that_runs(forebay: Command) -> None:
    assert "least((inflight + 1) * service_time / weight)" in forebay("policies", "shortest_expected_delay").out


def test_an_unknown_policy_is_bad_input_with_the_nearest(forebay: Command) -> None:
    outcome = forebay("policies", "rond_robin")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == 'error: there is no policy "rond_robin"; did you mean "round_robin"?\n'


def test_the_catalogue_is_data_too(forebay: Command) -> None:
    known = json.loads(forebay("policies", "--json").out)
    assert [each["name"] for each in known] == list(POLICIES)
    assert [each["name"] for each in known if each["default"]] == [DEFAULT]
    one = json.loads(forebay("policies", "peak_ewma", "--json").out)
    assert one == next(each for each in known if each["name"] == "peak_ewma")
    assert one["score"] == "least((inflight + 1) * latency / weight, choices=2)"
