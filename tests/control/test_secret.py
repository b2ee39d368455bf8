"""The secret of the affinity cookies, kept where the gateway keeps its state."""

import stat
import threading
from pathlib import Path

import pytest

from forebay import ForebayError
from forebay.control.secret import fresh, kept


def test_it_is_made_once_for_this_user_alone_and_found_again(tmp_path: Path) -> None:
    secret = kept(tmp_path)
    assert len(secret) == 32
    assert kept(tmp_path) == secret
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert kept(tmp_path) != fresh()


def test_all_who_ask_at_once_get_the_same(tmp_path: Path) -> None:
    found: set[bytes] = set()
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        found.add(kept(tmp_path))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_one_that_others_may_see_is_not_used(tmp_path: Path) -> None:
    kept(tmp_path)
    (tmp_path / "affinity.secret").chmod(0o640)
    with pytest.raises(ForebayError, match=r"others may see .*\(mode 0640\); delete it"):
        kept(tmp_path)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_something_else_in_its_place_is_not_used(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "affinity.secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ForebayError, match="no secret of 32 bytes; delete it"):
        kept(tmp_path)


def test_where_it_cannot_be_kept_is_said(tmp_path: Path) -> None:
    with pytest.raises(ForebayError, match=r"cannot be kept there \(No such file or directory\); .*declare `affinity.secret`"):
        kept(tmp_path / "missing")
    (tmp_path / "affinity.secret").mkdir()
    with pytest.raises(ForebayError, match="Is a directory"):
        kept(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["affinity.secret"]
