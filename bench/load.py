"""Runs the load generator and reads what it measured."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.paths import LOAD_CORE, PROXY_CORE, TOOL, BenchError
from bench.peers import Proxy
from bench.processes import pinned

# The rule of the protocol: a full generator core beside an idle proxy core measures the generator.
LOAD_FULL = 0.95
PROXY_FULL = 0.90


@dataclass(frozen=True)
class Sample:
    """One window of load on one proxy."""

    verified: int
    errors: int
    seconds: float
    cpu_us: float
    """CPU time of the proxy per verified response, microseconds, all its processes together."""
    user_share: float
    """Share of that time in user mode, from 100 Hz ticks: an estimate."""
    latency: dict[str, float]
    """p50, p90, p99, max, mean in microseconds."""
    proxy_busy: float
    """Share of the window that the proxy's processes ran."""
    load_busy: float
    """Share of the window that the generator and the backend ran."""
    foreign: float
    """Largest share of a core that went to processes outside the measurement."""

    @property
    def generator_bound(self) -> bool:
        """True if generator and backend filled their core while the proxy still had room."""
        return self.load_busy > LOAD_FULL and self.proxy_busy < PROXY_FULL


def tool(mode: str, arguments: Sequence[object], limit: float) -> dict[str, Any]:
    """Runs one mode of the tool on the load core to its end, at most `limit` seconds; returns its last JSON line."""
    command = pinned(LOAD_CORE, [str(TOOL), mode, *map(str, arguments)])
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            out, errors = process.communicate(timeout=limit)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        message = f"bench-tools {mode} failed: {errors.strip()}"
        raise BenchError(message)
    result: dict[str, Any] = json.loads(out.splitlines()[-1])
    return result


def sample(proxy: Proxy, backend: int, arguments: Sequence[object], *, seconds: float, warm: float) -> Sample:
    """Loads the proxy for one window and divides its CPU time by the verified responses; `backend` is a process id."""
    address, pids = proxy.address, proxy.pids
    shared = ["--to", address, "--seconds", seconds, "--warm", warm, "--watch", ",".join(map(str, [*pids, backend]))]
    result = tool("load", [*shared, *arguments], limit=seconds + warm + 30)
    usage = [result["cpu"][str(pid)] for pid in pids]
    verified = result["verified"]
    if not verified:
        message = f"no verified response from {address}: {result['errors']}"
        raise BenchError(message)
    nanoseconds = sum(entry["ns"] for entry in usage)
    user, system = (sum(entry[f"{kind}_ticks"] for entry in usage) for kind in ("user", "system"))
    busy = nanoseconds / 1e9 / result["seconds"]
    load = (result["own_ns"] + result["cpu"][str(backend)]["ns"]) / 1e9 / result["seconds"]
    cores = result["cores"]
    return Sample(
        verified=verified,
        errors=sum(result["errors"].values()),
        seconds=result["seconds"],
        cpu_us=nanoseconds / verified / 1e3,
        user_share=user / max(1, user + system),
        latency={key: value for key, value in result["latency_us"].items() if key != "count"},
        proxy_busy=busy,
        load_busy=load,
        foreign=max(0.0, cores[PROXY_CORE] - busy, cores[LOAD_CORE] - load),
    )
