"""Orders of operators survive a restart, and a file that is no list of them harms nothing."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from forebay import ForebayError
from forebay.control.keep import Kept
from forebay.control.overlays import FILE, Overlay, laid, lapsed, lifted, load, save, without

DRAIN = Overlay("app", "10.0.0.1:80", "drain", at=1000.0, reason="deploy", until=1600.0, revision=2)
WEIGHT = Overlay("app", "10.0.0.1:80", "weight", at=1000.0, weight=3)
HOLD = Overlay("app", None, "hold", at=1000.0, reason="incident")


def test_drain_and_disable_take_each_others_place_and_weight_stands_beside() -> None:
    overlays = laid(laid(laid({}, DRAIN), WEIGHT), replace(DRAIN, kind="disable"))
    assert sorted(overlay.kind for overlay in overlays.values()) == ["disable", "weight"]
    assert list(lifted(overlays, WEIGHT.key).values()) == [replace(DRAIN, kind="disable")]


def test_one_lapses_at_its_end_and_without_an_end_never() -> None:
    overlays = laid(laid({}, DRAIN), HOLD)
    assert lapsed(overlays, 1599.9) == []
    assert lapsed(overlays, 1600.0) == [DRAIN]
    assert (DRAIN.left(1500.0), HOLD.left(1500.0)) == (100.0, None)


def test_one_that_took_the_place_of_another_does_not_end_with_it() -> None:
    overlays = laid(laid({}, DRAIN), WEIGHT)
    assert without(overlays, DRAIN) == {WEIGHT.key: WEIGHT}
    renewed = laid(overlays, replace(DRAIN, until=9000.0))
    assert without(renewed, DRAIN) == renewed


def test_what_is_kept_is_read_back_without_what_is_over(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    save(laid(laid(laid({}, DRAIN), WEIGHT), HOLD), kept)
    assert set(load(kept, 1599.0).values()) == {DRAIN, WEIGHT, HOLD}
    assert set(load(kept, 1600.0).values()) == {WEIGHT, HOLD}


def test_a_gateway_without_a_directory_keeps_nothing() -> None:
    save(laid({}, HOLD), Kept(None))
    assert load(Kept(None), 0.0) == {}


def broken() -> dict[str, str]:
    whole = json.dumps({"version": 1, "overlays": [HOLD.json()]})
    others = {
        "another key": {**HOLD.json(), "colour": "red"},
        "a weight that is none": {**WEIGHT.json(), "weight": 1001},
        "a time that is none": {**HOLD.json(), "at": "noon"},
        "a kind that is none": {**HOLD.json(), "kind": "pause"},
    }
    return {
        "cut short": whole[:-9],
        "another version": whole.replace('"version": 1', '"version": 2'),
        "no table": "[]",
        "no text": "\x00\xff",
        "empty": "",
        "brackets in too many brackets": "[" * 100_000,
        **{name: json.dumps({"version": 1, "overlays": [value]}) for name, value in others.items()},
    }


@pytest.mark.parametrize("name", broken())
def test_a_file_that_is_no_list_of_orders_is_ignored_with_one_line(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).write_text(broken()[name], encoding="latin-1")
    with caplog.at_level(logging.WARNING):
        assert load(Kept(tmp_path), 1000.0) == {}
    [record] = caplog.records
    assert record.message.startswith(f"{tmp_path / FILE} is ignored: ")
    assert "\n" not in record.message


def test_what_cannot_be_written_is_said_and_the_old_file_stays(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    save(laid({}, HOLD), kept)
    tmp_path.chmod(0o500)
    gone = Kept(tmp_path / "gone")
    with pytest.raises(ForebayError, match=r"overlays.json cannot be written \(No such file or directory\); make room there"):
        save({}, gone)
    tmp_path.chmod(0o700)
    assert set(load(kept, 1000.0).values()) == {HOLD}


def test_nothing_else_is_left_beside_the_file(tmp_path: Path) -> None:
    save(laid({}, HOLD), Kept(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
