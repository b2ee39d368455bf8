"""A file of endpoints is followed however it is written, and half of one is never taken."""

import os
import threading
from pathlib import Path

import pytest

from forebay import Endpoint
from forebay.control.discovery.answers import Answer, Failed, Found, Nothing
from forebay.control.discovery.files import Files

A, B = Endpoint("10.0.0.1:80"), Endpoint("10.0.0.2:80", weight=2)
BOTH = '["10.0.0.1:80", {"address": "10.0.0.2:80", "weight": 2}]'
BOTH_TOML = 'endpoints = [\n"10.0.0.1:80",\n{ address = "10.0.0.2:80", weight = 2 }]'


class Watched:
    """One file, looked at when told to."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.said: list[Answer[Endpoint]] = []
        self.files = Files(lambda _, answer: self.said.append(answer))
        self.files.want([str(file)])

    def look(self, times: int = 1) -> list[Answer[Endpoint]]:
        """Return what it says anew."""
        self.said.clear()
        for _ in range(times):
            self.files.look()
        return list(self.said)

    def replace(self, text: str) -> None:
        other = self.file.with_name(f"other{self.file.suffix}")
        other.write_text(text)
        other.replace(self.file)


@pytest.fixture(params=["json", "toml"])
def watched(request: pytest.FixtureRequest, tmp_path: Path) -> Watched:
    file = tmp_path / f"endpoints.{request.param}"
    file.write_text(BOTH if request.param == "json" else BOTH_TOML)
    watched = Watched(file)
    assert watched.look() == [Found((A, B))]
    return watched


def one(watched: Watched) -> str:
    return '["10.0.0.1:80"]' if watched.file.suffix == ".json" else 'endpoints = ["10.0.0.1:80"]'


def test_a_file_that_does_not_change_is_told_once(watched: Watched) -> None:
    assert watched.look(5) == []


def test_one_that_was_replaced_is_taken_at_the_next_look(watched: Watched) -> None:
    watched.replace(one(watched))
    assert watched.look() == [Found((A,))]


def test_one_that_is_written_in_place_is_taken_once_it_stands_still(watched: Watched) -> None:
    text = one(watched)
    with watched.file.open("w") as file:
        for part in (text[:5], text[5:10], text[10:]):
            file.write(part)
            file.flush()
            assert watched.look() == []
    assert watched.look() == [Found((A,))]


def test_content_that_stays_half_written_is_a_fault_in_one_line_with_its_place_told_once(watched: Watched) -> None:
    text = watched.file.read_text()
    watched.file.write_text(text[: len(text) // 2])
    (answer,) = watched.look(5)
    assert isinstance(answer, Failed)
    assert answer.why.startswith(f"{watched.file}")
    assert "not JSON" in answer.why or "not TOML" in answer.why
    assert "\n" not in answer.why
    watched.file.write_text(text)
    assert watched.look(5) == [Found((A, B))]


def test_one_that_is_gone_is_told_once_and_taken_when_it_is_back(watched: Watched) -> None:
    text = watched.file.read_text()
    watched.file.unlink()
    assert watched.look(5) == [Failed(f"{watched.file}: cannot be read: No such file or directory")]
    watched.file.write_text(text)
    assert watched.look(5) == [Found((A, B))]


def test_a_folder_that_is_swapped_by_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    for name, text in (("one", '["10.0.0.1:80"]'), ("two", BOTH)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "endpoints.json").write_text(text)
    (tmp_path / "data").symlink_to("one")
    watched = Watched(tmp_path / "data" / "endpoints.json")
    assert watched.look() == [Found((A,))]
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(tmp_path / "data")
    assert watched.look() == [Found((A, B))]


def test_the_home_of_nobody_is_told_and_does_not_end_the_watching() -> None:
    watched = Watched(Path("~nobody-of-this-name/endpoints.json"))
    (answer,) = watched.look(3)
    assert isinstance(answer, Failed)
    assert "cannot be read" in answer.why


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endpoints.json")
    watched = Watched(tmp_path / "endpoints.json")
    assert watched.look(3) == [Failed(f"{watched.file}: cannot be read: it is no file")]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b"[]", Nothing("{}: holds no endpoints")),
        ("a.json", b'{"endpoints": []}', Nothing("{}: holds no endpoints")),
        ("a.toml", b"endpoints = []", Nothing("{}: holds no endpoints")),
        ("a.json", b"", Failed("{}:1: not JSON: expecting value (column 1)")),
        ("a.json", b'["10.0.0.1:80"', Failed("{}:1: not JSON: expecting ',' delimiter (column 15)")),
        ("a.json", b'{"endpoint": []}', Failed('{}: endpoint: unknown key; write ["10.0.0.1:80"], or {{"endpoints": [...]}}')),
        (
            "a.json",
            b'"10.0.0.1:80"',
            Failed('{}: endpoints: must be a list, not a string; write ["10.0.0.1:80"], or {{"endpoints": [...]}}'),
        ),
        ("a.json", b"[" * 100_000, Failed("{}: not JSON that holds endpoints: brackets in too many brackets")),
        ("a.json", b'[{"address": "a:1", "wieght": 2}]', Failed('{}: endpoints[0].wieght: unknown key; did you mean "weight"?')),
        ("a.json", b"\xff\xfe", Failed("{}:1: is not UTF-8; save it in UTF-8")),
        ("a.toml", b"", Failed('{}: endpoints: missing; write endpoints = ["10.0.0.1:80"]')),
        (
            "a.toml",
            b'[[endpoints]]\naddress = "a:1"\n[[endpoints]]\naddress = "b"\n',
            Failed('{}:4: endpoints[1].address: "b" has no port; write "b:80", say'),
        ),
        (
            "a.json",
            b'["a:1", "a:1", "b"]',
            Failed('{}: endpoints[2]: "b" has no port; write "b:80", say (and 1 more)'),
        ),
    ],
)
def test_bad_content_is_told_in_one_line_with_its_place(tmp_path: Path, name: str, content: bytes, said: Nothing | Failed) -> None:
    (tmp_path / name).write_bytes(content)
    (answer,) = Watched(tmp_path / name).look(3)
    assert answer == type(said)(said.why.format(tmp_path / name))


def test_a_file_that_is_too_large_to_be_one_is_not_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    assert Watched(tmp_path / "a.json").look() == [Failed(f"{tmp_path / 'a.json'}: is larger than 64 MiB")]


def test_its_thread_sees_a_change_by_itself_and_ends_when_it_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forebay.control.discovery.files.EVERY", 0.01)
    file = tmp_path / "endpoints.json"
    file.write_text('["10.0.0.1:80"]')
    changed = threading.Event()
    said: list[Answer[Endpoint]] = []

    def report(_: str, answer: Answer[Endpoint]) -> None:
        said.append(answer)
        changed.set()

    files = Files(report)
    files.want([str(file)])
    files.start()
    files.start()
    assert changed.wait(10)
    changed.clear()
    file.write_text(BOTH)
    assert changed.wait(10)
    files.stop()
    assert said == [Found((A,)), Found((A, B))]
    (thread,) = [each for each in threading.enumerate() if each.name == "forebay-files"] or [threading.Thread()]
    if thread.ident is not None:
        thread.join(10)
    assert "forebay-files" not in {each.name for each in threading.enumerate()}
