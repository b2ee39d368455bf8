"""Counters of a process that the kernel keeps: CPU time, memory, and the sleeps of its threads."""

import time
from collections.abc import Iterable
from pathlib import Path

CPUCLOCK_SCHED = 2


def cpu_seconds(pid: int) -> float:
    """CPU time of the whole process so far, to the nanosecond.

    The clock id is what `clock_getcpuclockid(3)` returns on Linux: the complement of the pid with the clock's kind below it.
    """
    return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)


def busiest(before: list[tuple[int, int]]) -> float:
    """Busy share of the busier core since `before`: where the suite itself uses little, what others take."""
    shares = [(busy - old_busy) / max(1, total - old_total) for (busy, total), (old_busy, old_total) in zip(cores(), before, strict=True)]
    return max(shares)


def cores() -> list[tuple[int, int]]:
    """(busy, all) ticks of each core so far."""
    counts = []
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("cpu") and line[3].isdigit():
            ticks = [int(word) for word in line.split()[1:9]]
            counts.append((sum(ticks) - ticks[3] - ticks[4], sum(ticks)))
    return counts


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    pids = [pid]
    for parent in pids:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            pids.extend(int(word) for word in task.read_text().split())
    return pids


def resident(pids: Iterable[int]) -> float:
    """Proportional set size of the processes together, in KiB: shared pages count once among those that share them."""
    return sum(_rollup(pid, "Pss:") for pid in pids)


def _rollup(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(field):
            return float(line.split()[1])
    return 0.0


def sleeps(pids: Iterable[int]) -> dict[tuple[int, str], int]:
    """Voluntary context switches of each thread, keyed by (thread id, thread name): each is one wake-up later."""
    counts: dict[tuple[int, str], int] = {}
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            try:
                fields = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
            except (FileNotFoundError, ProcessLookupError):
                continue  # the thread ended between the listing and the reading
            counts[int(task.name), fields["Name"]] = int(fields["voluntary_ctxt_switches"])
    return counts
