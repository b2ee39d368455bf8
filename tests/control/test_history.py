"""The last good configurations are kept, and what is kept is never trusted."""

import json
import logging
from pathlib import Path

import pytest

from forebay import ForebayError, Gateway, Pool, balance
from forebay.control.history import MOST, History
from forebay.testing import FakeClock


def gateway(number: int) -> Gateway:
    return Gateway(listen="127.0.0.1:80", pools={"app": Pool([f"10.0.0.{number}:80"])})


def filled(directory: Path | None, count: int) -> History:
    history = History(directory, FakeClock(100))
    for number in range(1, count + 1):
        assert history.served(gateway(number), f"reload {number}") == number
    return history


def numbers(history: History) -> list[int]:
    return [entry.number for entry in history.entries()]


@pytest.mark.parametrize("lasting", [True, False])
def test_the_last_ten_are_kept(tmp_path: Path, *, lasting: bool) -> None:
    history = filled(tmp_path if lasting else None, 13)
    assert numbers(history) == list(range(4, 14))
    assert len(history.entries()) == MOST
    assert history.entries()[0].config({}, Gateway) == gateway(4)
    assert len(list(tmp_path.iterdir())) == (MOST + 1 if lasting else 0)


def test_they_are_there_after_a_start_and_for_nobody_else(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    again = History(tmp_path, FakeClock(200))
    assert (numbers(again), again.current) == ([1, 2, 3], 3)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert again.served(gateway(3), "start") == 3, "the same is not noted again"


def test_going_back_goes_to_the_one_that_served_before() -> None:
    history = filled(None, 3)
    history.back_at(history.find(None).number)
    assert history.find(None).number == 1
    assert history.served(gateway(9), "reload 9") == 4
    assert history.find(None).number == 2, "not to the one that was left by going back"


def test_the_present_one_stays_however_far_back_it_is(tmp_path: Path) -> None:
    history = filled(tmp_path, 10)
    history.back_at(1)
    for number in range(11, 14):
        history.served(gateway(number), "reload")
        history.back_at(1)
    assert numbers(history) == [1, *range(5, 14)]
    assert History(tmp_path, FakeClock()).current == 1


def test_what_is_not_kept_is_an_error_that_lists_what_is() -> None:
    with pytest.raises(ForebayError) as raised:
        filled(None, 2).find(7)
    assert str(raised.value) == "configuration 7 is not kept; the last 10 good ones are: 1, 2"
    with pytest.raises(ForebayError, match="no configuration served before this one"):
        filled(None, 1).find(None)


BROKEN = [
    b"",
    b'{"format": 1, "num',
    b'{"format": 2, "number": 2}',
    b"[]",
    b'{"format": 1, "number": 2, "at": 0, "origin": "", "before": null, "references": [], "config": 7}',
]


@pytest.mark.parametrize("content", BROKEN)
def test_a_file_cut_short_or_of_another_version_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    filled(tmp_path, 3)
    (tmp_path / "configuration-2.json").write_bytes(content)
    assert numbers(History(tmp_path, FakeClock())) == [1, 3]
    (record,) = caplog.records
    assert "configuration-2.json is ignored" in record.getMessage()


def test_what_cannot_be_written_is_said_and_kept_for_as_long_as_the_process_runs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    history = filled(tmp_path / "gone", 1)
    assert numbers(history) == [1]
    assert "a later start will not know this configuration" in caplog.text


def test_a_local_callable_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    config = Gateway(
        listen="127.0.0.1:80", pools={"app": Pool(["10.0.0.1:80"], balance=balance.python(lambda _request, candidates: candidates[0]))}
    )
    with caplog.at_level(logging.INFO, "forebay"):
        assert filled(None, 0).served(config, "start") is None
    assert "is local" in caplog.text


def test_the_file_holds_the_canonical_form(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    value = json.loads((tmp_path / "configuration-1.json").read_bytes())
    assert value["config"]["pools"]["app"]["endpoints"][0]["address"] == "10.0.0.1:80"
    assert value["origin"] == "reload 1"
