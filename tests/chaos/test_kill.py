"""A server dies by SIGKILL under load."""

from pathlib import Path

import pytest

from .world import HOSTS, Host, Load, bar, configuration, effects, lost, run_for, servers, spared, told, until_healthy

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
            run_for(2)
            answers = load.finish()
    gone = lost(answers)
    begun = effects(found)
    assert max(begun.values()) == 1
    # What had been sent to it by then: it had begun the work, or the request was still in its socket.
    on_it = {words[0] for words in found[0].notes("began")} - {words[0] for words in found[0].notes("ended")}
    assert len(gone) <= 8, told(gone)
    unread = [answer for answer in gone if str(answer.number) not in on_it]
    assert len(unread) <= 1 + spared(answers), told(unread)
