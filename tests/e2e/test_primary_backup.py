"""Primary and backup, as the guide and the example have it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from forebay.config import load

from .documents import ROOT, blocks, environment, free_ports, shell, until_listening
from .programs import PATIENCE

pytestmark = pytest.mark.e2e

EXAMPLE = ROOT / "examples/primary_backup.py"


def test_the_example_shows_a_backup_that_takes_over_and_gives_back(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout.splitlines() == [
        "at first: primary",
        "the primary is killed: backup",
        "the primary is back: backup",
        "it has been well for a second: primary",
    ]


def test_the_example_as_a_file_declares_the_same_tiers() -> None:
    pool = load(EXAMPLE.with_suffix(".toml")).pools["app"]
    assert [(endpoint.id, endpoint.tier) for endpoint in pool.endpoints] == [("primary", 0), ("backup", 1)]
    assert pool.failover.hold_down == 1
    assert pool.health is not None


def test_the_guide_kills_a_primary_and_brings_it_back(folder: Path) -> None:
    ports = free_ports(8001, 8002, 8080)
    said = []
    with shell(folder) as bash:
        for block in blocks("docs/guides/primary-backup.md", ports):
            if block.title:
                (folder / block.title).write_text(block.text)
            elif block.language == "sh":
                said += [line.strip() for line in bash.run(block.text)]
                for port in (port for port in ports.values() if f" {port} >" in block.text or "forebay run" in block.text):
                    until_listening(port)
    assert [line for line in said if line in {"primary", "backup"}] == ["primary", "backup", "primary"]
    assert any("promoted" in line for line in said), json.dumps(said)
    assert any("its process dies" in line for line in said)
