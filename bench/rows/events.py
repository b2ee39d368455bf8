"""Row of server-sent events: each is passed on at once."""

from bench import cpu
from bench.load import tool
from bench.measure import Line
from bench.session import Session, say

STREAMS = 16


def run(session: Session) -> list[Line]:
    """Delay that a proxy adds to an event: the 99th percentile through it less the median without it."""
    seconds = 4 if session.quick else 10
    load = ["--path", "/sse", "--connections", STREAMS, "--seconds", seconds]
    values: dict[str, list[float]] = {}
    notes: dict[str, str] = {}
    began = cpu.cores()
    with session.proxies(session.setting(bodies=64, events=True)) as proxies:
        direct = tool("sse", ["--to", session.backend, *load], limit=seconds + 20)["delay_us"]
        for name, proxy in proxies.items():
            delay = tool("sse", ["--to", proxy.address, *load], limit=seconds + 20)["delay_us"]
            values[name] = [(delay["p99"] - direct["p50"]) / 1e3]
            notes[name] = (
                f"{delay['count']} events, p50 {delay['p50']:.0f} µs, p99 {delay['p99']:.0f} µs, max {delay['max']:.0f} µs; "
                f"without a proxy p50 {direct['p50']:.0f} µs, p99 {direct['p99']:.0f} µs"
            )
            say(f"  {name:8} {values[name][0]:7.3f} ms added, {notes[name]}")
    noise = cpu.busiest(began)
    title = "server-sent event every 50 ms, p99 added"
    return [Line("sse", title, "ms", values, bar=2.0, against_rivals=False, notes=notes, disturbance=noise)]
