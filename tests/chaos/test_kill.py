"""A server dies by SIGKILL under load."""

from pathlib import Path

import pytest

from .world import HOSTS, Host, Load, bar, configuration, effects, lost, run_for, servers, told, until_healthy

pytestmark = pytest.mark.e2e

SLOWEST = bar(0.060)


@pytest.mark.parametrize("host", HOSTS)
def test_a_killed_server_loses_no_get_and_slows_none(folder: Path, host: Host) -> None:
    with servers(folder) as found, host(folder, configuration(found)) as running:
        until_healthy(running, found)
        with Load(running.address) as load:
            run_for(1)
            found[0].kill()
            run_for(2)
            answers = load.finish()
    assert told(lost(answers)) == {}
    assert len(answers) > 1000
    assert load.slowest(answers) < SLOWEST


@pytest.mark.parametrize("host", HOSTS)
def test_of_posts_only_those_that_the_killed_server_had_are_lost_and_none_runs_twice(folder: Path, host: Host) -> None:
    with servers(folder) as found, host(folder, configuration(found)) as running:
        until_healthy(running, found)
        with Load(running.address, posts=1.0) as load:
            run_for(1)
            found[0].kill()
            killed = run_for(0)
            run_for(2)
            answers = load.finish()
    gone = lost(answers)
    assert max(effects(found).values()) == 1
    # Sixteen clients and three servers: no more than these can have been on it, and nothing that came after its end is lost.
    assert len(gone) <= 8, told(gone)
    assert [answer for answer in gone if answer.start > killed] == []
    ended = {words[0] for words in found[0].notes("ended")}
    assert [answer for answer in gone if str(answer.number) in ended] == [], "what it had done was answered"
