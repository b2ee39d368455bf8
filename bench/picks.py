"""Builds and runs the engine's example `pick`, which says what a pick costs."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.paths import ROOT, BenchError

# The profile of what users install, in the folder where `make` builds that: most of it is there already.
PROFILE = "release"
CASE = re.compile(r"^(\w+) (.+) of (\d+)\.\s+([\d.]+) ns$", re.MULTILINE)


def build() -> Path:
    """The example's program, built anew where its sources changed."""
    if shutil.which("cargo") is None:
        raise BenchError("the picks are measured in the engine alone, which needs the Rust toolchain (cargo); install it and run again")
    command = ["cargo", "build", f"--profile={PROFILE}", "--locked", "--quiet", "--package=forebay-engine", "--example=pick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join(done.stderr.splitlines()[-5:])
        message = f"cannot build the example `pick`: `{' '.join(command)}` failed:\n{tail}"
        raise BenchError(message)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / PROFILE / "examples" / "pick"


def run(command: Sequence[str]) -> dict[tuple[str, str, int], float]:
    """Nanoseconds of each case that the command prints, by kind, name and number of endpoints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"`{' '.join(command)}` failed: {done.stderr.strip()}"
        raise BenchError(message)
    return {(kind, name, int(count)): float(value) for kind, name, count, value in CASE.findall(done.stdout)}
