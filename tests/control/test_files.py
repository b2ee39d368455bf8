"""A gateway may have as many files open as its user is allowed."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from forebay import Gateway, Pool
from forebay.control import files
from forebay.testing import FakeEngine


@pytest.fixture
def hard() -> Iterator[int]:
    """Lower the soft limit on open files while a test runs, and give the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, hard - 1), hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_start_raises_the_soft_limit_to_the_hard_one(hard: int, tmp_path: Path) -> None:
    gateway = Gateway(listen="127.0.0.1:0", state_dir=str(tmp_path), pools={"app": Pool(["10.0.0.1:80"])})
    with gateway.start(engine=FakeEngine):
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)


def test_what_the_system_refuses_is_left_as_it_was(hard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert files.raise_limit() < hard
    monkeypatch.undo()
