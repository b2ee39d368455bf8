"""A command that probes: its exit status, its words, its time, and that it leaves nothing behind."""

import sys
import threading
from collections import deque
from collections.abc import Callable

import pytest

from forebay.control.commands import Commands, Outcome
from forebay.control.probing import Expected, Group, Target
from forebay.failover.rules import ProbeRules


def ask(*command: str, timeout: float = 5.0) -> Outcome:
    rules = ProbeRules(kind="command", timeout=timeout)
    group = Group(rules, None, command, Expected(rules), {})
    woken = threading.Event()
    commands = Commands(lambda job: job(), woken.set)
    commands.run(Target("app", "one", "10.0.0.1:8080", group, deque()))
    assert woken.is_set()
    [outcome] = commands.take()
    assert commands.take() == []
    return outcome


def test_one_that_ends_with_zero_has_passed_and_its_words_are_kept() -> None:
    pool, endpoint, seconds, status, cause, text, _ = ask("/bin/sh", "-c", "echo {host} is at {port} of {address}")
    assert (pool, endpoint, status, cause, text) == ("app", "one", None, None, "10.0.0.1 is at 8080 of 10.0.0.1:8080\n")
    assert 0 < seconds < 5


def test_one_that_ends_with_anything_else_has_failed() -> None:
    assert ask("/bin/sh", "-c", "exit 3")[4] == "/bin/sh ended with 3"


def test_one_that_is_not_there_has_failed() -> None:
    assert ask("/no/such/program")[4] == "/no/such/program cannot be run: No such file or directory"


@pytest.mark.parametrize("script", ["exec tail -f /dev/null", "tail -f /dev/null & wait", "exec >/dev/null 2>&1; exec tail -f /dev/null"])
def test_one_that_takes_longer_is_ended_with_all_that_it_started(script: str) -> None:
    assert ask("/bin/sh", "-c", script, timeout=0.1)[4] == "probe_timeout"


def test_of_its_words_the_first_16_kib_are_kept() -> None:
    text = ask(sys.executable, "-c", "print('x' * 100_000)")[5]
    assert text == "x" * 16384


def test_it_runs_on_a_worker() -> None:
    jobs: list[Callable[[], None]] = []
    rules = ProbeRules(kind="command")
    commands = Commands(jobs.append, lambda: None)
    commands.run(Target("app", "one", "10.0.0.1:80", Group(rules, None, ("/bin/true",), Expected(rules), {}), deque()))
    assert commands.take() == []
    jobs[0]()
    assert len(commands.take()) == 1
