"""Each test once, or $FOREBAY_CHAOS_TIMES times; a short folder for each, since the path of a socket may have 107 bytes."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    times = int(os.environ.get("FOREBAY_CHAOS_TIMES", "1"))
    if times > 1 and "folder" in metafunc.fixturenames:
        metafunc.parametrize("turn", range(times), indirect=True)


@pytest.fixture
def turn(request: pytest.FixtureRequest) -> int:
    """Which of the repetitions it is."""
    return getattr(request, "param", 0)


@pytest.fixture
def folder(turn: int) -> Iterator[Path]:
    """Make a folder that is empty."""
    with tempfile.TemporaryDirectory(prefix=f"fbc{turn}") as path:
        yield Path(path)
