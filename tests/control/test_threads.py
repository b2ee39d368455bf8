"""How many threads an engine gets."""

import os
from pathlib import Path

import pytest

from forebay.control import threads
from forebay.control.threads import cgroup_quota, count


def lay_out(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_declared_number_is_taken_as_it_is() -> None:
    assert count(7) == 7


@pytest.mark.parametrize(("quota", "expected"), [(None, 4), (1.5, 2), (0.1, 1), (64.0, 4)])
def test_auto_is_the_smaller_of_affinity_and_quota_and_at_least_one(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setattr(threads, "cgroup_quota", lambda: quota)
    assert count(None) == expected


def test_a_version_two_group_has_the_tightest_quota_of_its_parents(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/system.slice/app.service\n",
        "sys/fs/cgroup/system.slice/app.service/cpu.max": "max 100000\n",
        "sys/fs/cgroup/system.slice/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/cpu.max": "400000 100000\n",
    }
    assert cgroup_quota(lay_out(tmp_path, files)) == 1.5


def test_inside_a_container_the_mount_itself_holds_the_quota(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/docker/0123\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}
    assert cgroup_quota(lay_out(tmp_path, files)) == 0.5


def test_a_version_one_group_has_its_quota_in_two_files(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "3:memory:/a\n2:cpu,cpuacct:/a\n",
        "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "200000\n",
        "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
    }
    assert cgroup_quota(lay_out(tmp_path, files)) == 2


@pytest.mark.parametrize("files", [{}, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}], ids=["no groups", "max"])
def test_where_nothing_is_limited_there_is_no_quota(tmp_path: Path, files: dict[str, str]) -> None:
    assert cgroup_quota(lay_out(tmp_path, files)) is None
