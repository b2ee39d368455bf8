"""Gateways of these tests keep their state in a directory of their own; short, since the path of a socket may have 107 bytes."""

import tempfile
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def home() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="fb") as path, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", path)
        patch.delenv("STATE_DIRECTORY", raising=False)
        yield
