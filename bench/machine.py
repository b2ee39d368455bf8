"""The machine and the versions a result belongs to."""

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from bench.paths import ROOT
from bench.peers import Peer


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def _memory() -> str:
    kib = int(Path("/proc/meminfo").read_text().splitlines()[0].split()[1])
    return f"{kib / (1 << 20):.1f} GiB"


def _commit() -> str:
    done = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def facts(peers: Mapping[str, Peer], settings: str) -> list[tuple[str, str]]:
    """Name and value of everything that a reader needs to compare with another run."""
    system = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return [
        ("date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("processor", f"{_cpu_model()}, {os.cpu_count()} cores seen"),
        ("memory", _memory()),
        ("system", f"{system.get('PRETTY_NAME', 'Linux').strip(chr(34))}, kernel {platform.release()}, {platform.machine()}"),
        ("network", "loopback; proxy on core 0, load generator and backend on core 1"),
        ("settings", settings),
        ("commit", _commit()),
        *((name, peer.version()) for name, peer in peers.items()),
    ]
