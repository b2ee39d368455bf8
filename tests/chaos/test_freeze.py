"""A server stops answering without a word: SIGSTOP under load. It still accepts, since the kernel does that."""

from pathlib import Path

import pytest

from .world import HOSTS, Host, Load, bar, configuration, effects, lost, run_for, servers, told, until_healthy

pytestmark = pytest.mark.e2e

SLOWEST = bar(0.500)
PROVEN = bar(2.0)


@pytest.mark.parametrize("host", HOSTS)
def test_a_frozen_server_loses_no_get_and_slows_none_beyond_half_a_second(folder: Path, host: Host) -> None:
    with servers(folder) as found, host(folder, configuration(found)) as running:
        until_healthy(running, found)
        with Load(running.address) as load:
            run_for(1.5)
            found[0].freeze()
            run_for(3)
            answers = load.finish()
    assert told(lost(answers)) == {}
    assert load.slowest(answers) < SLOWEST


@pytest.mark.parametrize("host", HOSTS)
def test_posts_on_a_frozen_server_end_with_their_cause_and_no_new_one_goes_there(folder: Path, host: Host) -> None:
    with servers(folder) as found, host(folder, configuration(found)) as running:
        until_healthy(running, found)
        with Load(running.address, posts=1.0) as load:
            run_for(1.5)
            frozen = found[0].freeze()
            run_for(4)
            answers = load.finish()
        found[0].thaw()
    gone = lost(answers)
    assert {answer.status for answer in gone} <= {504}, told(gone)
    assert [answer for answer in gone if answer.start > frozen + SLOWEST] == []
    assert [answer for answer in gone if answer.end > frozen + PROVEN + SLOWEST] == []
    assert max(effects(found).values()) == 1
