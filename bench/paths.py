"""Where the suite finds and puts things, all relative to the repository."""

from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
CACHE = BENCH / ".cache"
TEMPLATES = BENCH / "peers"
TOOLS = BENCH / "tools"
TOOL = CACHE / "target" / "release" / "bench-tools"
RESULTS = BENCH / "RESULTS.md"
FOREBAY = ROOT / ".venv" / "bin" / "forebay"

PROXY_CORE = 0
LOAD_CORE = 1


class BenchError(Exception):
    """A benchmark cannot be run or its result cannot be trusted; the text says why and what to do."""
