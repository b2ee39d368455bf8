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

PAGES = ("docs/guides/choose-a-policy.md", "docs/guides/write-a-policy.md")
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
