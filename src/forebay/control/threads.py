"""How many threads an engine gets."""

import math
import os
from pathlib import Path


def count(declared: int | None) -> int:
    """The declared number, or for None (`"auto"`) the smaller of CPU affinity and cgroup quota, at least 1."""
    if declared is not None:
        return declared
    processors = len(os.sched_getaffinity(0))
    quota = cgroup_quota()
    return max(1, processors if quota is None else min(processors, math.ceil(quota)))


def cgroup_quota(root: Path = Path("/")) -> float | None:
    """The CPUs that this process's control group may use, or None where it is not limited. Reads cgroup v2, then v1."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            quotas = [_v2(folder / "cpu.max") for folder in _upwards(root / "sys/fs/cgroup", path)]
        elif "cpu" in controllers.split(","):
            quotas = [_v1(folder) for folder in _upwards(root / "sys/fs/cgroup/cpu", path)]
        else:
            continue
        limits = [quota for quota in quotas if quota is not None]
        if limits:
            return min(limits)
    return None


def _upwards(mount: Path, path: str) -> list[Path]:
    # A parent's limit binds too; inside a container the path may not exist under the mount, the mount itself does.
    folder = mount / path.lstrip("/")
    return [folder, *[parent for parent in folder.parents if parent.is_relative_to(mount)]]


def _v2(file: Path) -> float | None:
    match [word for line in _lines(file) for word in line.split()]:
        case [quota, period] if quota.isdigit():
            return int(quota) / int(period)
    return None


def _v1(folder: Path) -> float | None:
    match _lines(folder / "cpu.cfs_quota_us"), _lines(folder / "cpu.cfs_period_us"):
        case [quota], [period] if int(quota) > 0:
            return int(quota) / int(period)
    return None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
