"""Row of user-space instructions per small request, counted by callgrind: steady where time is not, and blind to the kernel."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace

from bench.load import tool
from bench.measure import Line
from bench.paths import BenchError
from bench.peers import Proxy
from bench.session import Session, say

REQUESTS = 3000
# Caddy is left out: a Go runtime under valgrind measures its own scheduler.
COUNTED = ("nginx", "haproxy", "forebay")
TOTAL = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


def run(session: Session) -> list[Line]:
    """Instructions of all processes of the proxy between two marks, for each of REQUESTS requests on 16 connections."""
    for command in ("valgrind", "callgrind_control"):
        if shutil.which(command) is None:
            raise BenchError(f"{command} is missing: install valgrind (apt-get install valgrind) or leave out the row `instructions`")
    values: dict[str, list[float]] = {}
    for name in (name for name in COUNTED if name in session.peers):
        work = session.fresh(name)
        wrapper = ("valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={work}/callgrind.%p")
        with replace(session.peers[name], wrapper=wrapper).start(session.setting(), work) as proxy:
            values[name] = [_counted(proxy) / REQUESTS]
        say(f"  {name:8} {values[name][0]:,.0f} instructions a request")
    return [Line("instructions", "user-space instructions per small request", "", values, 1.0, aim=0.85)]


def _counted(proxy: Proxy) -> int:
    """Instructions between the marks. Needs a warmed-up proxy: code seen first is translated first."""
    load = ["--to", proxy.address, "--connections", 16, "--expect", 63, "--seconds", 60, "--requests"]
    _control(proxy, "--instr=on")
    tool("load", [*load, 500, "--warm", 0], limit=100)
    _control(proxy, "--zero")
    result = tool("load", [*load, REQUESTS, "--warm", 0], limit=100)
    _control(proxy, "--dump")
    if result["verified"] != REQUESTS:
        raise BenchError(f"only {result['verified']} of {REQUESTS} requests were verified under callgrind: {result['errors']}")
    total = sum(_total(path.read_text()) for path in proxy.work.glob("callgrind.*.1"))
    if not total:
        raise BenchError(f"callgrind wrote no count of {proxy.name} into {proxy.work}")
    return total


def _total(text: str) -> int:
    found = TOTAL.findall(text)
    return int(found[-1]) if found else 0


def _control(proxy: Proxy, *words: str) -> None:
    command: Sequence[str] = ("callgrind_control", *words, *map(str, proxy.pids))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise BenchError(f"callgrind_control {' '.join(words)} failed: {(done.stderr or done.stdout).strip()}")
