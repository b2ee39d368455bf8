"""Rows of memory: what slow readers and idle connections cost a proxy, and how often it wakes for nothing."""

import json
import threading

from bench import cpu
from bench.load import tool
from bench.measure import Line
from bench.paths import LOAD_CORE, TOOL, BenchError
from bench.peers import Proxy
from bench.processes import pause, running
from bench.session import Session, say

READERS, READER_RATE, READER_BODY = 100, 1_000_000, 10 << 20
IDLE = 5000
WARM = ("--connections", 64, "--expect", 63)


def slow_readers(session: Session) -> list[Line]:
    """Growth of memory while 100 readers take 10 MiB bodies at 1 MB/s each."""
    seconds = 4 if session.quick else 8
    values, notes = {}, {}
    for name in session.peers:
        with session.proxies(session.setting(bodies=64), [name]) as proxies:
            proxy = proxies[name]
            session.sample(proxy, WARM)
            before = proxy.memory()
            peak, middle, end = _watched(proxy, seconds)
        values[name] = [(peak - before) / READERS]
        notes[name] = f"{before / 1024:.1f} MiB before; growth {middle - before:,.0f} KiB half way, {end - before:,.0f} KiB at the end"
        say(f"  {name:8} {values[name][0]:9.1f} KiB per stream, {notes[name]}")
    title = f"memory per stream, {READERS} readers of 10 MiB at 1 MB/s"
    return [Line("slow", title, "KiB", values, bar=256, against_rivals=False, notes=notes)]


def _watched(proxy: Proxy, seconds: float) -> tuple[float, float, float]:
    """Peak, half-way and last memory (KiB) of the proxy while slow readers are at work."""
    seen: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            seen.append(proxy.memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        load = ["--path", f"/size/{READER_BODY}", "--connections", READERS, "--bytes-per-second", READER_RATE, "--seconds", seconds]
        result = tool("slow", ["--to", proxy.address, *load], limit=seconds + 20)
    finally:
        done.set()
        watcher.join()
    wanted = READERS * READER_RATE * seconds
    if result["ended"] or result["bytes"] < wanted * 0.9:
        raise BenchError(f"slow readers on {proxy.name} got {result['bytes']} of {wanted} bytes, {result['ended']} were cut off")
    return max(seen), seen[len(seen) // 2], seen[-1]


def idle_connections(session: Session) -> list[Line]:
    """Memory of 5,000 kept connections, each idle after one request, and the wake-ups of each thread meanwhile."""
    window = 4 if session.quick else 10
    memory, wakes, notes, threads = {}, {}, {}, {}
    for name in session.peers:
        with session.proxies(session.setting(), [name]) as proxies:
            session.sample(proxies[name], WARM)
            kib, rates = _held(proxies[name], session, window)
        memory[name] = [kib]
        wakes[name] = [max(rates.values(), default=0.0)]
        notes[name] = f"{IDLE} connections"
        threads[name] = ", ".join(f"{thread} {rate:.1f}/s" for thread, rate in sorted(rates.items(), key=lambda item: -item[1])[:6])
        say(f"  {name:8} {kib:7.2f} KiB each; {threads[name]}")
    return [
        Line("idle", "memory of an idle connection", "KiB", memory, bar=1.1, aim=0.6, against_rivals=False, notes=notes),
        Line("wakeups", f"wake-ups of the busiest thread, {IDLE} idle", "/s", wakes, bar=1.0, against_rivals=False, notes=threads),
    ]


def _held(proxy: Proxy, session: Session, window: float) -> tuple[float, dict[str, float]]:
    """KiB per idle connection, and wake-ups per second of each thread."""
    command = [str(TOOL), "idle", "--to", proxy.address, "--connections", str(IDLE)]
    pause(1)
    before = proxy.memory()
    with running(LOAD_CORE, command, log=session.work / "idle.log") as holder:
        held = holder.stdout.readline() if holder.stdout else ""
        if not held:
            raise BenchError(f"{proxy.name} did not take {IDLE} connections: {(session.work / 'idle.log').read_text()}")
        pause(1.5)
        after = proxy.memory()
        first = cpu.sleeps(proxy.pids)
        pause(window)
        last = cpu.sleeps(proxy.pids)
        out, _ = holder.communicate(timeout=10)
    closed = json.loads(out.splitlines()[-1])["closed_by_proxy"]
    if closed:
        raise BenchError(f"{proxy.name} closed {closed} of {IDLE} idle connections within {window + 1.5} s")
    rates = {f"{thread[1]}:{thread[0]}": (count - first.get(thread, 0)) / window for thread, count in last.items()}
    return (after - before) / IDLE, rates
