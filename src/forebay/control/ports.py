"""Who listens on a port of this machine: for the error about a busy one."""

import os
from collections.abc import Iterator
from pathlib import Path

_LISTEN = "0A"  # TCP_LISTEN in the `st` column of /proc/net/tcp


def holder(address: str, proc: Path = Path("/proc")) -> str | None:
    """Name the process that listens on the port of `address` (`HOST:PORT`), as `nginx (pid 12)`.

    None where it cannot be told: another user's process, another container's, or a system without /proc.
    """
    port = address.rpartition(":")[2]
    if not port.isdigit():
        return None
    try:
        inodes = {inode for table in ("net/tcp", "net/tcp6") for inode in _listening(proc / table, int(port))}
    except OSError:
        return None
    return next(_owners(proc, {f"socket:[{inode}]" for inode in inodes}), None) if inodes else None


def _listening(table: Path, port: int) -> Iterator[str]:
    for line in table.read_text().splitlines()[1:]:
        columns = line.split()
        if columns[3] == _LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
            yield columns[9]


def _owners(proc: Path, sockets: set[str]) -> Iterator[str]:
    for process in proc.iterdir():
        if not process.name.isdigit():
            continue
        try:
            if any(str(descriptor.readlink()) in sockets for descriptor in (process / "fd").iterdir()):
                name = (process / "comm").read_text().strip()
                own = ", this process" if int(process.name) == os.getpid() else ""
                yield f"{name} (pid {process.name}{own})"
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
