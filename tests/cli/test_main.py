"""What all commands have in common: exit codes, and which stream gets what."""

import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import forebay as package

Command = Callable[..., Any]


@pytest.mark.parametrize("arguments", [["--version"], ["version"]])
def test_the_version_is_data(forebay: Command, arguments: list[str]) -> None:
    outcome = forebay(*arguments)
    assert outcome.code == 0
    assert outcome.out.startswith(f"forebay {package.__version__} (Python {platform.python_version()}, ")
    assert outcome.err == ""


def test_it_is_a_module_that_python_runs() -> None:
    ended = subprocess.run([sys.executable, "-m", "forebay", "version"], capture_output=True, text=True, check=True)
    assert ended.stdout.startswith(f"forebay {package.__version__} ")


def test_help_names_every_verb_with_one_sentence(forebay: Command) -> None:
    outcome = forebay("--help")
    assert outcome.code == 0
    for verb in ("run", "check", "status", "demo", "version"):
        assert verb in outcome.out


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("run", "Without a file: where to listen; 127.0.0.1:8080 unless given."),
        ("status", "Which gateway; without it $FOREBAY_ADMIN, else the only one of this user that runs."),
    ],
)
def test_help_says_what_goes_without_an_option(forebay: Command, verb: str, words: str) -> None:
    outcome = forebay(verb, "--help")
    assert words in " ".join(outcome.out.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["run"], "nothing to run: give a TOML file, a MODULE:ATTRIBUTE, or --to ADDRESS"),
        (["run", "good.toml", "--to", "10.0.0.1:80"], "goes without a file; leave it out, or change good.toml instead"),
        (["run", "good.toml", "--listen", "127.0.0.1:0"], "goes without a file"),
        (["check"], "Missing argument"),
        (["demo", "--seconds", "1"], "greater than or equal to 3"),
    ],
)
def test_a_usage_error_is_bad_input_and_says_what_would_do(forebay: Command, work: Path, arguments: list[str], words: str) -> None:
    assert work.exists()
    outcome = forebay(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    unwrapped = " ".join(outcome.err.replace("│", " ").split())
    assert words in unwrapped
    assert "-h' for help" in unwrapped


def test_a_reader_that_has_seen_enough_is_no_error(work: Path) -> None:
    code = "import sys; from forebay.cli import main; main(['check', sys.argv[1], '--effective'])"
    command = [sys.executable, "-c", code, str(work / "good.toml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
