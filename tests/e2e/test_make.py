"""The set-up: what it says when it cannot, that it is done once, and that the wheel stands alone."""

import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest

from .documents import ROOT, environment

pytestmark = pytest.mark.e2e

TOOLS = ("sh", "bash", "awk", "cat", "cut", "find", "rm", "touch")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Make a folder with the sources and nothing that was built of them."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "Cargo.toml", "Cargo.lock", "engine", "binding"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Make a folder of programs to be the only one on PATH: what every machine has, and no Rust or Python."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
    return folder


def program(folder: Path, name: str, says: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
    (folder / name).chmod(0o755)


def refused(clone: Path, path: Path) -> str:
    make = shutil.which("make")
    assert make
    done = subprocess.run([make, "setup"], cwd=clone, env={"PATH": str(path)}, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert not (clone / ".venv").exists()
    return done.stderr


def test_without_rust_make_says_what_is_missing_and_what_to_do(clone: Path, path: Path) -> None:
    said = refused(clone, path)
    assert "Rust 1.85" in said
    assert "rustup" in said


def test_an_old_rust_is_named_with_its_version(clone: Path, path: Path) -> None:
    program(path, "cargo", "cargo 1.80.1")
    program(path, "rustc", "rustc 1.80.1 (3f5fd8dd4 2024-08-06)")
    said = refused(clone, path)
    assert "Rust 1.85" in said
    assert "1.80.1" in said


def test_without_a_c_linker_make_says_so(clone: Path, path: Path) -> None:
    program(path, "cargo", "cargo 1.95.0")
    program(path, "rustc", "rustc 1.95.0 (59807616e 2026-04-14)")
    assert "cc was not found" in refused(clone, path)


def test_without_a_python_that_is_new_enough_make_says_so(clone: Path, path: Path) -> None:
    for name, says in (("cargo", "cargo 1.95.0"), ("rustc", "rustc 1.95.0 (59807616e 2026-04-14)"), ("cc", "cc")):
        program(path, name, says)
    (path / "python3").symlink_to("/bin/false")
    assert "Python 3.11" in refused(clone, path)


@pytest.fixture
def profile() -> str:
    built = ROOT / ".venv/profile"
    if not built.exists():
        pytest.skip("needs the environment that make test sets up")
    return built.read_text().strip()


@pytest.mark.timeout(600)  # its first call builds what is not current
def test_a_second_set_up_starts_nothing(profile: str) -> None:
    command = ["make", "setup", f"PROFILE={profile}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    began = time.monotonic()
    again = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert "Building" not in again.stdout
    assert "Installing" not in again.stdout
    assert time.monotonic() - began < 5


@pytest.mark.timeout(600)  # as above
def test_the_wheel_works_in_a_bare_environment(profile: str, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["--no-deps", "--no-build-isolation", "--config-settings", f"build-args=--profile {profile}", "--wheel-dir", str(tmp_path)]
    subprocess.run([*pip, "wheel", str(ROOT), *build], check=True, capture_output=True, env=environment(tmp_path))
    (wheel,) = tmp_path.glob("forebay-*-cp311-abi3-*.whl")
    bare = venv.EnvBuilder(symlinks=True).ensure_directories(tmp_path / "bare")
    venv.EnvBuilder(symlinks=True).create(bare.env_dir)
    subprocess.run([*pip, "--python", bare.env_exe, "install", str(wheel)], check=True, capture_output=True)
    assert "forebay" in subprocess.check_output([Path(bare.bin_path) / "forebay", "version"], text=True, cwd=tmp_path)
    checked = """
from forebay import Gateway, Pool, __file__
with Gateway(listen="127.0.0.1:0", pools={"app": Pool(["127.0.0.1:9"])}).start():
    print(__file__)
"""
    where = subprocess.check_output([bare.env_exe, "-c", checked], text=True, cwd=tmp_path, env=environment(tmp_path))
    assert where.startswith(str(tmp_path))
