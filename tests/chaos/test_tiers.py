"""Primaries die, a standby takes over, and they return."""

from pathlib import Path

import pytest

from .world import HOSTS, Gateway, Host, Load, bar, configuration, events, gateway, lost, run_for, servers, told, until_healthy

pytestmark = pytest.mark.e2e

TAKEN_OVER = bar(0.050)
HOLD_DOWN = 'failover = { hold_down = "1s" }'


@pytest.mark.parametrize("host", HOSTS)
def test_a_standby_takes_over_from_both_primaries_at_once_and_gives_back(folder: Path, host: Host) -> None:
    with servers(folder) as found:
        *primaries, standby = found
        with host(folder, configuration(found, tiers={standby.name: 1}, more=HOLD_DOWN)) as running:
            until_healthy(running, found)
            with Load(running.address) as load:
                run_for(1)
                idle_before = standby.asked()
                killed = run_for(0)
                for server in primaries:
                    server.kill()
                dead = run_for(1.5)
                for server in primaries:
                    server.start()
                running.until(lambda: standby_rests(running, standby.name), "the primaries do not take back")
                taken_back = standby.asked()
                run_for(1)
                idle_after = standby.asked() - taken_back
                answers = load.finish()
    assert told(lost(answers)) == {}
    assert (idle_before, idle_after) == (0, 0)
    first = min((answer for answer in answers if answer.server == standby.name), key=lambda answer: answer.end)
    assert load.without_lag(killed, first.end) < TAKEN_OVER
    assert {answer.server for answer in answers if killed + bar(0.1) < answer.start < dead} == {standby.name}


def standby_rests(running: Gateway, name: str) -> bool:
    """Whether no request is on the standby and the first tier serves."""
    pool = running.status()["pools"]["app"]
    return bool(pool["tier"] == 0 and pool["endpoints"][name]["inflight"] == 0)


def test_one_tier_serves_at_a_time_and_each_kill_promotes_the_next(folder: Path) -> None:
    with servers(folder) as found, gateway(folder, configuration(found, tiers={"b": 1, "c": 2}, more=HOLD_DOWN)) as running:
        until_healthy(running, found)
        with Load(running.address) as load:
            first = run_for(1)
            found[0].kill()
            second = run_for(1)
            found[1].kill()
            run_for(1)
            answers = load.finish()
        promoted = [event for event in events(running) if event["kind"] == "promoted"]
    assert told(lost(answers)) == {}
    intervals = {"a": (0.0, first), "b": (first + bar(0.1), second), "c": (second + bar(0.1), answers[-1].end)}
    for name, (start, end) in intervals.items():
        within = [answer for answer in answers if start <= answer.start and answer.end < end]
        # One that takes unusually long is tried on the next tier beside it, where a tier has but one endpoint.
        assert sum(answer.server != name for answer in within) <= 0.02 * len(within), name
    assert len(promoted) == 2
