"""What a page shows as the output of a command is what the command prints.

A block marked `text` that follows a block marked `sh` is its output. After a change that moves figures, `FOREBAY_WRITE_OUTPUTS=1 make
test-python ARGS="-k outputs"` writes the pages anew; read what changed, the words around it may no longer hold.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from .documents import ROOT, environment

pytestmark = pytest.mark.e2e

PAGES = ("README.md", "docs/guides/choose-a-policy.md", "docs/guides/write-a-policy.md")
_SHOWN = re.compile(r"^```sh\n((?:(?!^```).)*)^```\n\n```text\n((?:(?!^```).)*)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^```\w+ title=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Shown(NamedTuple):
    page: str
    command: str
    output: str


def shown(page: str) -> list[Shown]:
    """Return the commands of a page that need nothing but its files, with their outputs; those that need servers run in test_guides.py."""
    found = [Shown(page, *each) for each in _SHOWN.findall((ROOT / page).read_text())]
    return [each for each in found if "127.0.0.1" not in each.command]


def printed(each: Shown, folder: Path) -> str:
    for name, text in _FILE.findall((ROOT / each.page).read_text()):
        (folder / name).write_text(text)
    done = subprocess.run(
        ["bash", "-c", f'forebay() {{ "{sys.executable}" -m forebay "$@"; }}\n{each.command}'],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    "each", [each for page in PAGES for each in shown(page)], ids=lambda each: f"{each.page}: {each.command.strip()[:60]}"
)
def test_the_outputs_of_a_page_are_what_its_commands_print(each: Shown, tmp_path: Path) -> None:
    now = printed(each, tmp_path)
    if os.environ.get("FOREBAY_WRITE_OUTPUTS"):
        page = ROOT / each.page
        page.write_text(
            page.read_text().replace(
                f"```sh\n{each.command}```\n\n```text\n{each.output}```", f"```sh\n{each.command}```\n\n```text\n{now}```"
            )
        )
    else:
        assert each.output == now


def test_the_pages_show_outputs() -> None:
    assert all(shown(page) for page in PAGES)


def section(title: str) -> dict[str, dict[str, float]]:
    """Return the figures of each policy in a section of the guide, by column; of its last table."""
    text = (ROOT / "docs/guides/choose-a-policy.md").read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    lines = _SHOWN.findall(text)[-1][1].splitlines()
    columns = re.split(r"\s{2,}", lines[1])[1:]
    rows = (re.split(r"\s{2,}", line) for line in lines[3:])
    return {name: dict(zip(columns, (float(cell.rstrip(" %").replace(",", "")) for cell in cells), strict=True)) for name, *cells in rows}


def test_what_the_guide_advises_is_what_its_tables_say() -> None:
    default, fewest, turns = "shortest_expected_delay", "least_connections", "weighted_round_robin"
    equal = section("Equal servers")
    assert equal[turns] == equal["round_robin"]
    assert all(2 * equal[good]["p99"] < equal[bad]["p99"] for good in (default, fewest) for bad in (turns, "random"))
    unequal = section("Servers of unequal speed")
    assert unequal[default]["p99"] < 0.6 * unequal[fewest]["p99"]
    assert unequal[default]["p99"] < 1.15 * unequal["oracle"]["p99"]
    assert unequal[turns]["p99"] > 100 * unequal[default]["p99"]
    workers = section("Servers with many workers")
    assert max(each["p99"] for each in workers.values()) < 1.05 * workers[default]["p99"]
    streams = section("Long streams")
    assert max(streams, key=lambda name: streams[name]["p99"]) == "least_response_time"
    assert streams[default]["p99"] < 0.8 * streams[fewest]["p99"]
    mixture = section("Short and long requests")
    assert all(mixture[default]["p99"] < 0.7 * mixture[bad]["p99"] for bad in ("power_of_two", turns, "random"))
    errors = section("A server that fails fast")
    assert errors[default]["errors"] < 0.2
    assert errors[fewest]["errors"] > 15
    reports = section("Many gateways")
    assert reports["peak_ewma"]["p99"] > reports[default]["p99"]
    keys = section("Servers that cache")
    assert 5 * keys["consistent_hash(bounded_load=1.25)"]["p99"] < keys["consistent_hash"]["p99"]
    packing = section("Packing")
    assert packing["first_available(limit=16)"]["least share"] == 0
    assert packing["first_available(limit=16)"]["p99"] == packing[default]["p99"]
    standby = section("Servers that fail often")
    assert abs(standby[default]["errors"] - standby["first_available"]["errors"]) < 0.1
    assert standby[default]["errors"] < 1.1
