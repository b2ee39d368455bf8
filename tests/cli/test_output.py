"""Words to standard error, data to standard output, and nothing cut in a pipe."""

import json

import pytest

from forebay import ConfigError, Fault, ForebayError
from forebay.cli.output import complain, emit, table


def test_a_table_in_a_pipe_is_never_cut_nor_folded(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 1000
    table(["name", "value"], [("a", long), ("b", "[bold]as it is[/bold]")])
    out = capsys.readouterr().out
    assert f"a      {long}" in out
    assert "[bold]as it is[/bold]" in out


def test_numbers_stand_at_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    table(["name", "count"], [("a", "7"), ("b", "1234")], right=frozenset({"count"}))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert [line[-4:] for line in lines if line[:1] in {"a", "b"}] == ["   7", "1234"]


def test_every_fault_is_a_line_with_its_severity(capsys: pytest.CaptureFixture[str]) -> None:
    complain(ConfigError([Fault("is bad", "a.b", "f.toml", 3), Fault("is odd", severity="warning", hint="leave it out")]))
    captured = capsys.readouterr()
    assert captured.err == "error: f.toml:3: a.b: is bad\nwarning: is odd; leave it out\n"
    assert captured.out == ""


def test_an_error_ends_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    complain(ForebayError("it broke", hint="mend it"))
    assert capsys.readouterr().err == "error: it broke; mend it\n"


def test_data_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"a": [1, None]})
    assert json.loads(capsys.readouterr().out) == {"a": [1, None]}
