"""`python -m bench.gate`: fails where a pick takes over 2 % more instructions than the committed figure. Exit 0: no; 1: yes; 2: cannot say.

Instructions are counted by callgrind, so neither the machine's load nor its speed is in them. The compiler is: the committed file names
the one that it was written with. `--write` takes the present counts as the new figures.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import picks
from bench.paths import BENCH, BenchError

FIGURES = BENCH / "instructions.json"
MOST = 0.02
"""How much more counts as the same."""
CASES = (
    "structural weighted_round_robin of 10.",
    "structural weighted_random of 10.",
    "structural maglev of 10.",
    "score shortest_expected_delay of 10.",
    "score peak_ewma of 10.",
    "score a user's of 1000.",
    "score shortest_expected_delay of 10000.",
    "whole shortest_expected_delay of 10.",
)
FEW, MANY = 50, 550
"""Picks in each of the example's rounds; what two runs differ by is picks alone."""
ROUNDS = 20
REFERENCES = re.compile(r"I\s+refs:\s+([\d,]+)")


def _counted(program: Path, case: str, rounds: int) -> int:
    """Instructions of the whole program."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", str(program), case, str(rounds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    found = REFERENCES.search(done.stderr)
    if done.returncode or not found or case not in done.stdout:
        message = f"`{' '.join(command)}` counted nothing:\n{done.stderr[-500:]}"
        raise BenchError(message)
    return int(found[1].replace(",", ""))


def _instructions(program: Path, case: str) -> float:
    """Instructions of one pick."""
    return round((_counted(program, case, MANY) - _counted(program, case, FEW)) / (ROUNDS * (MANY - FEW)), 1)


def _compiler() -> str:
    return subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.strip()


def counts() -> dict[str, float]:
    """Instructions of a pick in each of CASES."""
    if shutil.which("valgrind") is None:
        raise BenchError("valgrind is missing, so the instructions of a pick cannot be counted: install it (apt-get install valgrind)")
    program = picks.build()
    with ThreadPoolExecutor(2) as threads:
        return dict(zip(CASES, threads.map(lambda case: _instructions(program, case), CASES), strict=True))


def judged(now: dict[str, float], before: dict[str, float]) -> tuple[list[str], bool]:
    """A line for each case, and whether one rose."""
    lines, rose = [], False
    for case, count in now.items():
        known = before.get(case)
        if known is None:
            lines.append(f"{case:45} {count:9.1f}  no committed figure")
            rose = True
            continue
        change = count / known - 1
        word = "ROSE" if change > MOST else "fell" if change < -MOST else ""
        lines.append(f"{case:45} {count:9.1f}  {change:+7.1%} against {known:.1f}  {word}".rstrip())
        rose |= change > MOST
    return lines, rose


def main(arguments: Sequence[str] | None = None) -> int:
    """Counts, compares, says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.gate", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write the counts to {FIGURES.name}")
    options = parser.parse_args(arguments)
    try:
        now = counts()
    except BenchError as error:
        print(f"gate: {error}", file=sys.stderr)
        return 2
    compiler = _compiler()
    if options.write:
        FIGURES.write_text(json.dumps({"compiler": compiler, "instructions": now}, indent=2) + "\n")
        print(f"written to {FIGURES}")
        return 0
    committed = json.loads(FIGURES.read_text())
    lines, rose = judged(now, committed["instructions"])
    print("Instructions of a pick:", *lines, sep="\n")
    if compiler != committed["compiler"]:
        print(f"The committed figures are of {committed['compiler']}, these of {compiler}: a change may be the compiler's.")
    if rose:
        print(
            f"A pick takes over {MOST:.0%} more instructions. Take them back, or, where they are worth it: make instructions ARGS=--write"
        )
    return int(rose)


if __name__ == "__main__":
    sys.exit(main())
