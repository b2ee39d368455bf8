"""The command line in this process: what it prints, and its exit code."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from forebay.cli import main


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def forebay(capsys: pytest.CaptureFixture[str]) -> Command:
    def command(*arguments: str) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        return Outcome(int(ended.value.code or 0), *capsys.readouterr())

    return command


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where gateways keep their state; short, since the path of a socket may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="fb") as path:
        monkeypatch.setenv("XDG_STATE_HOME", path)
        monkeypatch.delenv("STATE_DIRECTORY", raising=False)
        monkeypatch.delenv("FOREBAY_ADMIN", raising=False)
        yield Path(path) / "forebay"


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The directory that commands run in, with one good file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.toml").write_text('[gateway]\nlisten = "127.0.0.1:0"\n[pools.app]\nendpoints = ["10.0.0.1:80", "10.0.0.2:80"]\n')
    return tmp_path
