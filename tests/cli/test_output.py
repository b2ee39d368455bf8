"""Words to standard error, data to standard output, and nothing cut in a pipe."""

import json
import re
from collections.abc import Callable

import pytest

from forebay import ConfigError, Fault, ForebayError
from forebay.cli.output import complain, emit, folded, table

COLUMNS = ("policy", "p50", "p99", "least share", "meaning")
ROWS = [("round_robin", "15.73", "11,861.87", "100 %", "one after the other"), ("random", "9.10", "1.00", "98 %", "any")]
RIGHT = frozenset(COLUMNS[1:4])


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


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[int], list[str]]:
    """Print the table in a terminal that is so many characters wide."""

    def show(width: int) -> list[str]:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm")
        table(COLUMNS, ROWS, right=RIGHT)
        return [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in capsys.readouterr().out.splitlines()]

    return show


def test_a_table_that_fits_its_window_stands_in_one_part(window: Callable[[int], list[str]]) -> None:
    assert window(100) == [
        "policy          p50         p99   least share   meaning",
        "\u2500" * 67,
        "round_robin   15.73   11,861.87         100 %   one after the other",
        "random         9.10        1.00          98 %   any",
    ]


def test_a_window_too_narrow_folds_words_and_headings_first(window: Callable[[int], list[str]]) -> None:
    assert window(52) == [
        "                                  least",
        "policy          p50         p99   share   meaning",
        "\u2500" * 52,
        "round_robin   15.73   11,861.87   100 %   one after",
        "                                          the other",
        "random         9.10        1.00    98 %   any",
    ]


def test_numbers_never_fold_and_parts_begin_with_the_name(window: Callable[[int], list[str]]) -> None:
    lines = window(34)
    assert [line.split() for line in lines if line.startswith("round_robin")] == [
        ["round_robin", "15.73", "11,861.87"],
        ["round_robin", "100", "%", "one", "after"],
    ]
    assert max(map(len, lines)) <= 34


def test_a_window_of_any_width_shows_every_number_whole(window: Callable[[int], list[str]]) -> None:
    for width in range(24, 80):
        words = {word for line in window(width) for word in line.split()}
        assert words >= {"15.73", "11,861.87", "9.10", "1.00", "98"}


def test_a_line_folds_between_words_in_a_terminal_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "  use it  when servers-are equal"
    assert folded(line, 10) == line
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "24")
    assert folded(line, 10).splitlines() == ["  use it  when", "          servers-are", "          equal"]


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
