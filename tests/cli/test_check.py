"""`forebay check`: everything that is wrong, and nothing started."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]

ODD = """
[gateway]
listen = "127.0.0.1:0"
[pools.app]
endpoints = ["10.0.0.1:80"]
[pools.unused]
endpoints = ["10.0.0.3:80"]
[[routes]]
pool = "app"
"""


@pytest.fixture(autouse=True)
def files(work: Path) -> None:
    (work / "odd.toml").write_text(ODD)
    (work / "bad.toml").write_text('[gateway]\nlissen = ":80"\n[pools.app]\nendpoints = ["10.0.0.1"]\n')


def test_a_good_file_says_so_in_a_word_and_prints_no_data(forebay: Command) -> None:
    outcome = forebay("check", "good.toml")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "good.toml: good (1 listener, 1 route, 1 pool with 2 endpoints)\n"


def test_faults_are_bad_input(forebay: Command) -> None:
    outcome = forebay("check", "bad.toml")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("error: bad.toml") == 3
    assert outcome.err.endswith("bad.toml: 3 faults\n")


def test_a_file_that_cannot_be_read_is_bad_input(forebay: Command) -> None:
    outcome = forebay("check", "nowhere.toml")
    assert outcome.code == 2
    assert outcome.err.startswith("error: nowhere.toml: cannot be read: No such file or directory")


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--strict"], 1)])
def test_a_warning_is_an_answer_of_no_only_where_that_is_asked_for(forebay: Command, options: list[str], code: int) -> None:
    outcome = forebay("check", "odd.toml", *options)
    assert outcome.code == code
    assert "warning: odd.toml:6: pools.unused: no route leads to it" in outcome.err
    assert "good, 1 warning (" in outcome.err


def test_effective_prints_every_value_with_its_source_as_data_and_cuts_none(forebay: Command) -> None:
    outcome = forebay("check", "good.toml", "--effective")
    assert outcome.code == 0
    rows = {line.split()[0]: line.split() for line in outcome.out.splitlines() if "." in line}
    assert rows["limits.head_timeout"][1:] == ["10s", "default"]
    assert "…" not in outcome.out


def test_as_json_faults_are_data(forebay: Command) -> None:
    outcome = forebay("check", "bad.toml", "--json")
    assert outcome.code == 2
    faults = json.loads(outcome.out)["faults"]
    assert len(faults) == 3
    assert {"message", "key", "file", "line", "hint", "severity"} == set(faults[0])
    assert outcome.err == ""


def test_as_json_effective_values_are_data_too(forebay: Command) -> None:
    value = json.loads(forebay("check", "good.toml", "--effective", "--json").out)
    assert value["faults"] == []
    assert {"key": "limits.head_timeout", "value": "10s", "source": "default"} in value["effective"]


def test_faults_of_a_policy_have_file_line_and_column(forebay: Command, work: Path) -> None:
    (work / "policy.toml").write_text('[gateway]\nlisten = ":1"\n[pools.app]\nbalance = "least(inflight / aeg)"\nendpoints = ["a:1"]\n')
    outcome = forebay("check", "policy.toml")
    assert outcome.code == 2
    assert outcome.err.startswith('error: policy.toml:4: pools.app.balance: unknown field "aeg" (column 18); did you mean "age"?\n')
