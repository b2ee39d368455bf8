"""Row of system calls: how often a proxy enters the kernel for one small request on one connection."""

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from bench.load import tool
from bench.measure import Line
from bench.paths import BenchError
from bench.peers import Proxy
from bench.processes import pause
from bench.session import Session, say

REQUESTS = 2000
IO = re.compile(r"^(p?readv?(64)?|p?writev?(64)?|recv\w*|send\w*|epoll_\w*|p?poll|p?select6?|splice|shutdown|io_uring_enter)$")


def run(session: Session) -> list[Line]:
    """Counts with `strace -c`; only calls that move bytes or wait for them are held against the bar."""
    if shutil.which("strace") is None:
        raise BenchError("strace is missing: install it (apt-get install strace) or leave out the row `syscalls`")
    values, notes = {}, {}
    for name in session.peers:
        with session.proxies(session.setting(), [name]) as proxies:
            counts = _counted(proxies[name])
        calls = sum(count for call, count in counts.items() if IO.match(call))
        values[name] = [round(calls / REQUESTS, 2)]  # a wake-up by a timer among 2,000 requests is not a call per request
        notes[name] = ", ".join(
            f"{call} {count / REQUESTS:.2f}" for call, count in sorted(counts.items(), key=lambda item: -item[1]) if count > REQUESTS / 50
        )
        say(f"  {name:8} {values[name][0]:6.2f} I/O calls a request: {notes[name]}")
    return [Line("syscalls", "I/O system calls per small request, one connection", "calls", values, 6.0, against_rivals=False, notes=notes)]


def _counted(proxy: Proxy) -> dict[str, int]:
    """Number of calls by name while one connection makes REQUESTS requests."""
    load = ["--to", proxy.address, "--connections", 1, "--expect", 63, "--warm", 0.2]
    tool("load", [*load, "--seconds", 0.2], limit=20)
    out = proxy.work / "strace.txt"
    attach = [word for pid in proxy.pids for word in ("-p", str(pid))]
    with subprocess.Popen(["strace", "-f", "-c", "-o", str(out), *attach], stderr=subprocess.DEVNULL, start_new_session=True) as tracer:
        try:
            _wait_attached(proxy, tracer)
            result = tool("load", [*load[:-1], 0, "--seconds", 20, "--requests", REQUESTS], limit=40)
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(10)
    if result["verified"] != REQUESTS:
        raise BenchError(f"only {result['verified']} of {REQUESTS} requests were verified under strace: {result['errors']}")
    return _parsed(out)


def _wait_attached(proxy: Proxy, tracer: "subprocess.Popen[bytes]") -> None:
    """Returns once every thread of the proxy is traced."""
    given_up = time.monotonic() + 5
    while time.monotonic() < given_up and tracer.poll() is None:
        status = [task.read_text() for pid in proxy.pids for task in Path(f"/proc/{pid}/task").glob("*/status")]
        if all(re.search(r"^TracerPid:\t[1-9]", text, re.MULTILINE) for text in status):
            return
        pause(0.02)
    raise BenchError("strace could not attach to the proxy: is ptrace allowed here (kernel.yama.ptrace_scope)?")


def _parsed(out: Path) -> dict[str, int]:
    """Calls by name from the table that `strace -c` writes: time, seconds, usecs/call, calls, (errors,) name."""
    counts = {}
    for line in out.read_text().splitlines():
        words = line.split()
        if len(words) >= 5 and re.fullmatch(r"[\d.]+", words[0]) and words[-1] != "total":
            counts[words[-1]] = int(words[3])
    return counts
