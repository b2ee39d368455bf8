"""A directory for sockets: short, since the path of one may have 107 bytes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fb") as path:
        monkeypatch.setenv("XDG_STATE_HOME", path)
        monkeypatch.delenv("STATE_DIRECTORY", raising=False)
        monkeypatch.delenv("FOREBAY_ADMIN", raising=False)
        yield Path(path)
