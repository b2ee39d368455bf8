"""Row of the access log: what it adds to a request, and that no record is lost."""

import statistics
from contextlib import ExitStack

from bench.measure import Line
from bench.peers import Proxy
from bench.session import Session, disturbed, say, trouble
from bench.status import records

LOAD = ("--connections", 64, "--expect", 63)
LOGGERS = ("nginx", "forebay")


def run(session: Session) -> list[Line]:
    """The same proxy twice, with its log to a file and without, in interleaved rounds; the difference is the line."""
    loggers = [name for name in LOGGERS if name in session.peers]
    with ExitStack() as stack:
        proxies: dict[str, Proxy] = {}
        for name in loggers:
            for kind in ("off", "log"):
                start = session.peers[name].start(session.setting(log=kind == "log"), session.fresh(f"{name}-{kind}"))
                proxies[f"{name} {kind}"] = stack.enter_context(start)
        samples = session.interleave(list(proxies), lambda name: session.sample(proxies[name], LOAD))
        dropped = records(proxies["forebay log"].work)["dropped"] if "forebay" in loggers else None
    values, notes = {}, {}
    for name in loggers:
        off, log = ([entry.cpu_us for entry in samples[f"{name} {kind}"]] for kind in ("off", "log"))
        values[name] = [statistics.median(log) - statistics.median(off)]
        with (proxies[f"{name} log"].work / "access.log").open("rb") as lines_of_log:
            written = sum(1 for _ in lines_of_log)
        answered = sum(entry.verified for entry in samples[f"{name} log"])
        notes[name] = (
            f"{statistics.median(off):.2f} µs without, {statistics.median(log):.2f} µs with; "
            f"{written} records, {answered} requests in the measured windows"
        )
        say(f"  {name:8} {values[name][0]:+7.2f} µs, {notes[name]}")
    invalid, noise = trouble(samples), disturbed(samples)
    title = "access log on, CPU added per request"
    lines = [Line("log", title, "µs CPU", values, bar=1.0, against_rivals=False, notes=notes, invalid=invalid, disturbance=noise)]
    if dropped is not None:
        lines.append(
            Line("log-dropped", "records dropped in that run", "records", {"forebay": [float(dropped)]}, 0.0, against_rivals=False)
        )
    return lines
