"""`python -m bench`: runs the rows, prints the table, writes RESULTS.md. Exit 0: every bar held; 1: not; 2: cannot run."""

import argparse
import fcntl
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import install, machine, report
from bench.measure import Line
from bench.paths import CACHE, RESULTS, BenchError
from bench.peers import FORWARD, NAMES, Peer
from bench.processes import raise_file_limit
from bench.rows import ROWS, selected
from bench.session import Session, backend, say

ADDS = {
    "nothing": "No proxy adds a field (Forebay still adds Via and X-Request-Id).",
    "usual": "nginx and HAProxy add X-Forwarded-For. Caddy adds X-Forwarded-For, -Proto and -Host, and Via. Forebay adds X-Forwarded-For,\n"
    "-Proto and -Host, Via and X-Request-Id: more work than its rivals do here. `--forward same` has them add the same fields.",
    "same": "All add X-Forwarded-For, -Proto and -Host, Via and X-Request-Id.",
}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 rounds of 1.5 s on the rows marked *, without Caddy: about 4 minutes")
    parser.add_argument("--only", default="", help=f"rows, with commas: {', '.join(ROWS)}; a beginning selects all that share it")
    parser.add_argument("--proxies", default="", help=f"with commas, of {', '.join(NAMES)}")
    parser.add_argument("--forebay", type=Path, help="the forebay command under test (default .venv/bin/forebay)")
    parser.add_argument("--rounds", type=int, help="rounds (default 5, quick 3)")
    parser.add_argument("--seconds", type=float, help="length of a window (default 2, quick 1.5)")
    parser.add_argument("--forward", choices=list(FORWARD), default="usual", help="what the rivals add to a request (default usual)")
    parser.add_argument("--results", type=Path, help="where to write the table (default bench/RESULTS.md, on a full run only)")
    return parser.parse_args(arguments)


def _peers(names: Sequence[str], forebay: Path | None) -> dict[str, Peer]:
    finders: dict[str, Callable[[], Path]] = {
        "nginx": install.nginx,
        "haproxy": install.haproxy,
        "caddy": install.caddy,
        "forebay": partial(install.forebay, forebay),
    }
    unknown = sorted(set(names) - set(finders))
    if unknown:
        message = f"unknown proxies {', '.join(unknown)}: choose from {', '.join(NAMES)}"
        raise BenchError(message)
    return {name: Peer(name, finders[name]()) for name in names}


@contextmanager
def _alone() -> Iterator[None]:
    """Holds the lock of the suite: two runs at once would measure each other."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is measuring; waiting for it to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(options: argparse.Namespace) -> list[Line]:
    rows = selected(options.only, quick=options.quick)
    default = ("nginx", "haproxy", "forebay") if options.quick else NAMES
    peers = _peers(options.proxies.split(",") if options.proxies else default, options.forebay)
    install.tools()
    raise_file_limit()
    rounds, seconds = options.rounds or (3 if options.quick else 5), options.seconds or (1.5 if options.quick else 2.0)
    work = CACHE / "run"
    lines: list[Line] = []
    with backend(work) as (address, pid):
        session = Session(peers, rounds, seconds, 0.4, options.quick, options.forward, work, address, pid)
        for row in rows:
            say(f"{row}:")
            try:
                lines.extend(ROWS[row].run(session))
            except BenchError as error:
                say(f"  {error}")
                lines.append(Line(row, row, "", {}, 0.0, invalid=str(error)))
    path = options.results or (None if options.only or options.quick else RESULTS)
    if path:
        settings = f"{rounds} rounds of {seconds} s, order rotated{', quick' if options.quick else ''}"
        report.write(path, lines, machine.facts(peers, settings), ADDS[options.forward])
        say(f"written to {path}")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the suite; returns its exit code."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with _alone():
            lines = _run(options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: interrupted; what it started has been ended", file=sys.stderr)
        return 130
    print(report.terminal(lines))
    return 1 if any(line.verdict.startswith(("FAIL", "INVALID")) for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
