"""Row of the start: from the start of the process to the first answer, and the memory it then takes."""

from bench import cpu
from bench.measure import Line
from bench.processes import pause
from bench.session import Session, say

STARTS = 5


def run(session: Session) -> list[Line]:
    """Starts each proxy five times; memory is read one second after the first answer."""
    seconds: dict[str, list[float]] = {name: [] for name in session.peers}
    memory: dict[str, list[float]] = {name: [] for name in session.peers}
    noise = 0.0
    for turn in range(STARTS):
        for name in session.peers:
            with session.proxies(session.setting(), [name]) as proxies:
                if turn == 0:
                    # At rest after its start: what is busy now is others.
                    began = cpu.cores()
                    pause(1)
                    noise = max(noise, cpu.busiest(began))
                seconds[name].append(proxies[name].first_byte)
                if turn == 0:
                    memory[name].append(proxies[name].memory() / 1024)
    for name in session.peers:
        say(f"  {name:8} {sorted(seconds[name])[STARTS // 2]:6.3f} s, {memory[name][0]:6.1f} MiB")
    return [
        Line("start", "start to first byte, median of 5", "s", seconds, bar=0.6, against_rivals=False, disturbance=noise),
        Line("start-memory", "memory at start (PSS)", "MiB", memory, bar=60, against_rivals=False),
    ]
