"""Row of the simulator: how long a million requests take it."""

import json
import subprocess
import time

from bench.measure import Line
from bench.paths import PROXY_CORE, BenchError
from bench.processes import pinned
from bench.session import Session, say

REQUESTS = 1_000_000
COMMAND = ("simulate", "--preset", "equal", "--policies", "shortest_expected_delay", "--requests", str(REQUESTS), "--json")
LIMIT = 80


def run(session: Session) -> list[Line]:
    """One run of the command, its start included."""
    if "forebay" not in session.peers:
        return []
    began = time.perf_counter()
    command = pinned(PROXY_CORE, [str(session.peers["forebay"].binary), *COMMAND])
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        message = f"`forebay {' '.join(COMMAND)}` did not end within {LIMIT} s"
        raise BenchError(message) from None
    seconds = time.perf_counter() - began
    if done.returncode:
        message = f"`forebay {' '.join(COMMAND)}` failed: {done.stderr.strip()}"
        raise BenchError(message)
    found = json.loads(done.stdout)["policies"][0]
    note = f"{found['requests']:,} requests, {found['seconds']:,.0f} simulated s, p99 {found['p99'] * 1e3:.1f} ms, its start included"
    say(f"  forebay  {seconds:.1f} s: {note}")
    title = f"simulator: {REQUESTS:,} requests over 10 endpoints"
    return [Line("simulate", title, "s", {"forebay": [seconds]}, bar=20.0, against_rivals=False, notes={"forebay": note})]
