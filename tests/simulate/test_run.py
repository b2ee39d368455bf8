"""Whole runs: what queueing theory says of them, what is common to all policies, and what gateways learn when."""

import math
from dataclasses import replace

import pytest

from forebay.simulate import (
    Bursts,
    Closed,
    Cold,
    Crashes,
    Deterministic,
    Errors,
    Exponential,
    LogNormal,
    Oracle,
    Poisson,
    Recorded,
    Result,
    Scenario,
    Server,
    Slowdowns,
    compare,
    simulate,
)
from forebay.types import Malformed

from .pickers import Picker, at_random, by_turns, picking, shortest

WORK = Exponential(1.0)


def case(*servers: Server, rate: float = 0.7, **more: object) -> Scenario:
    return replace(Scenario("case", "", servers or (Server(),), Poisson(rate), WORK), **more)  # type: ignore[arg-type]


def erlang_c(workers: int, offered: float) -> float:
    blocked = 1.0
    for number in range(1, workers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    load = offered / workers
    return blocked / (1.0 - load + load * blocked)


def test_one_server_is_mm1() -> None:
    result = simulate(case(rate=0.7), picking(by_turns), requests=200_000)
    assert result.mean == pytest.approx(1 / (1 - 0.7), rel=0.05)
    assert result.p99 == pytest.approx(-math.log(0.01) / (1 - 0.7), rel=0.07)
    assert result.utilisation == pytest.approx(0.7, rel=0.02)


def test_k_workers_are_mmk() -> None:
    offered = 0.8 * 4
    result = simulate(case(Server(workers=4), rate=offered), picking(by_turns), requests=100_000)
    assert result.mean == pytest.approx(1.0 + erlang_c(4, offered) / (4 - offered), rel=0.05)


def test_random_picks_make_many_mm1() -> None:
    result = simulate(case(*[Server()] * 10, rate=7.0), picking(at_random), requests=100_000)
    assert result.mean == pytest.approx(1 / (1 - 0.7), rel=0.05)


def test_sharing_answers_on_average_as_mm1_whatever_the_law_of_the_work() -> None:
    # M/G/1 processor sharing is insensitive: only the mean of the work counts.
    for work in (WORK, Deterministic(1.0), LogNormal(1.0, 1.0)):
        result = simulate(case(Server(sharing=True), rate=0.6, work=work), picking(by_turns), requests=40_000)
        assert result.mean == pytest.approx(1 / (1 - 0.6), rel=0.08)


def test_a_queue_follows_pollaczek_and_khinchine() -> None:
    result = simulate(case(rate=0.7, work=Deterministic(1.0)), picking(by_turns), requests=100_000)
    assert result.mean == pytest.approx(1.0 + 0.7 / (2 * (1 - 0.7)), rel=0.03)


def figures(result: Result) -> tuple[float, ...]:
    return (result.p50, result.p90, result.p99, result.p999, result.mean, result.maximum, result.utilisation, *result.shares)


def test_the_same_seed_gives_the_same_result_and_another_seed_another() -> None:
    first, again, other = (simulate(case(), picking(at_random), requests=2000, seed=seed) for seed in (1, 1, 2))
    assert figures(first) == figures(again)
    assert figures(first) != figures(other)


def test_every_policy_meets_the_same_requests() -> None:
    scenario = case(Server(), Server(speed=0.25), Server(slowdowns=Slowdowns(4.0, Exponential(20.0), Exponential(5.0))), rate=1.0)
    results = compare(scenario, {"turns": picking(by_turns), "shortest": picking(shortest), "oracle": Oracle}, requests=5000)
    times = [result.record.times for result in results.values()]
    assert times[0] == times[1] == times[2]
    assert len({result.mean for result in results.values()}) == 3
    # On one server there is nothing to choose, so that the same work comes to the same answers.
    alone = compare(case(), {"turns": picking(by_turns), "oracle": Oracle}, requests=5000)
    assert figures(alone["turns"]) == figures(alone["oracle"])


def test_the_oracle_knows_how_fast_each_server_is() -> None:
    scenario = case(*[Server()] * 8, *[Server(speed=0.25)] * 2, rate=0.7 * 8.5)
    results = compare(scenario, {"shortest": picking(shortest), "oracle": Oracle}, requests=40_000)
    assert results["oracle"].p99 < 0.65 * results["shortest"].p99


def test_bursts_come_at_their_rates() -> None:
    bursts = Bursts(quiet=10.0, busy=100.0, quiet_lasts=1.0, busy_lasts=0.5)
    assert bursts.rate == pytest.approx(40.0)
    record = simulate(case(arrivals=bursts, work=Deterministic(1e-6)), picking(by_turns), requests=60_000).record
    assert 60_000 / record.times[-1] == pytest.approx(40.0, rel=0.05)
    gaps = [later - earlier for earlier, later in zip(record.times, record.times[1:], strict=False)]
    mean = sum(gaps) / len(gaps)
    spread = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert spread / mean**2 > 2.0, "more uneven than Poisson, whose figure is 1"


def test_a_closed_loop_never_has_more_requests_than_clients() -> None:
    made: list[Picker] = []
    scenario = case(arrivals=Closed(5, Exponential(1.0)), servers=(Server(), Server()))
    result = simulate(scenario, picking(shortest, made), requests=20_000)
    assert result.requests == 20_000
    # Machine repairmen: 5 clients that think for 1 and share a queue of about 2 workers: X (R + Z) = N.
    rate = result.requests / result.seconds
    assert rate * (result.mean + 1.0) == pytest.approx(5.0, rel=0.03)


def test_a_recording_is_followed_to_the_moment() -> None:
    result = simulate(case(arrivals=Recorded((0.0, 0.5, 0.5, 9.0)), work=Deterministic(0.1)), picking(by_turns), requests=100)
    assert list(result.record.times) == [0.0, 0.5, 0.5, 9.0]
    assert list(result.record.latencies) == pytest.approx([0.1, 0.1, 0.2, 0.1])


def test_slow_times_take_their_part_of_the_speed() -> None:
    slow = Slowdowns(4.0, Exponential(30.0), Exponential(10.0))
    result = simulate(case(Server(slowdowns=slow), rate=0.01, work=Deterministic(0.1)), picking(by_turns), requests=40_000)
    assert set(result.latencies) != {0.1}
    late = sum(latency > 0.3 for latency in result.latencies) / result.requests
    assert late == pytest.approx(0.25, abs=0.02)


def test_a_cold_server_is_slow_at_first() -> None:
    scenario = case(Server(cold=Cold(4.0, 10.0)), arrivals=Recorded((1.0, 20.0)), work=Deterministic(1.0))
    scenario = replace(scenario, arrivals=Recorded((0.0, 19.0)))
    assert simulate(scenario, picking(by_turns), requests=2).record.latencies.tolist() == pytest.approx([4.0, 1.0])


def test_a_crash_fails_what_it_meets_and_another_try_saves_it() -> None:
    crashing = Server(crashes=Crashes(Exponential(5.0), Exponential(5.0)))
    once = simulate(case(crashing, Server(), rate=0.5), picking(by_turns), requests=5000)
    twice = simulate(case(crashing, Server(), rate=0.5, tries=2), picking(by_turns), requests=5000)
    assert 0.15 < once.errors / 5000 < 0.5
    assert twice.errors == 0


def test_fast_errors_are_no_fast_answers() -> None:
    made: list[Picker] = []
    scenario = case(Server(errors=Errors(share=1.0, latency=0.001)), Server(), work=Deterministic(0.5), rate=0.1)
    result = simulate(scenario, picking(by_turns, made), requests=1000)
    assert result.errors == 500
    assert min(result.latencies) == pytest.approx(0.5)
    assert {what for what, index, _ in made[0].told if index == 0} == {"error", "done"}


def test_a_share_of_errors_falls_on_the_same_requests_for_every_policy() -> None:
    scenario = case(Server(errors=Errors(share=0.3)), rate=0.1)
    first, second = (simulate(scenario, picking(choose), requests=3000) for choose in (by_turns, shortest))
    assert first.errors == second.errors == pytest.approx(900, rel=0.1)


def test_a_body_keeps_its_place_in_flight_but_not_the_first_byte_waiting() -> None:
    made: list[Picker] = []
    scenario = case(Server(workers=2), arrivals=Recorded((0.0,)), work=Deterministic(1.0), body=Deterministic(20.0), holds=True)
    result = simulate(scenario, picking(by_turns, made), requests=1)
    assert result.latencies == [1.0]
    assert made[0].told == [("answered", 0, 1.0), ("done", 0, 21.0)]


def test_a_gateway_learns_after_the_signal_delay() -> None:
    made: list[Picker] = []
    scenario = case(arrivals=Recorded((0.0, 9.0)), work=Deterministic(1.0), signal_delay=0.25, reports=True)
    simulate(scenario, picking(by_turns, made), requests=2)
    assert made[0].told[0] == ("answered", 0, 1.25)
    assert made[0].reports[0] == (0, 1.25, 0.0, {"inflight": 0.0})


def test_each_gateway_sees_its_own_requests_only() -> None:
    made: list[Picker] = []
    simulate(case(*[Server()] * 4, rate=2.0, gateways=5), picking(shortest, made), requests=5000)
    assert len(made) == 5
    seen = [sum(what == "answered" for what, _, _ in picker.told) for picker in made]
    assert all(count == pytest.approx(1000, rel=0.15) for count in seen)


def test_a_warm_up_is_left_out() -> None:
    whole = simulate(case(), picking(by_turns), requests=2000)
    later = simulate(case(), picking(by_turns), requests=2000, warm_up=500.0)
    assert later.requests == sum(time >= 500.0 for time in whole.record.times) < 2000
    assert later.latencies == sorted(
        latency for latency, time in zip(whole.record.latencies, whole.record.times, strict=True) if time >= 500.0
    )


def test_progress_is_told_every_thousand() -> None:
    told: list[int] = []
    simulate(case(), picking(by_turns), requests=3500, progress=told.append)
    assert told == [1000, 2000, 3000]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gateways": 101}, "1 to 100"),
        ({"servers": ()}, "0 servers"),
        ({"tries": 0}, "one at least"),
        ({"signal_delay": -1.0}, "not be below 0"),
        ({"arrivals": Poisson(0.0)}, "above 0"),
        ({"arrivals": Bursts(quiet=1.0, busy=0.0)}, "bursts"),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(Malformed, match=message):
        simulate(case(**change), picking(by_turns), requests=10)  # type: ignore[arg-type]
