"""What a pool learns: equal until shown otherwise, never fooled by what is in flight, never fast by failing, never forgotten."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.balance.reference.signals import BINS, NEUTRAL, REFRESH, Signals, bin_of, error_rate, median

TICKS = 100


class World:
    """A pool under a steady flow: in each tick every endpoint gets the same answers, and the columns are refreshed."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.signals = Signals(count)
        self.now = 0.0

    def tick(
        self, latencies: dict[int, list[float]], inflight: dict[int, int] | None = None, failures: dict[int, int] | None = None
    ) -> None:
        present = [(inflight or {}).get(slot, 1) for slot in range(self.count)]
        for slot, taken in latencies.items():
            for latency in taken:
                self.signals.picked(slot)
                self.signals.answered(slot, latency, present[slot], ok=True)
        for slot, number in (failures or {}).items():
            for _ in range(number):
                self.signals.picked(slot)
                self.signals.failed(slot)
        self.now += REFRESH
        idle = [slot not in latencies and slot not in (failures or {}) for slot in range(self.count)]
        self.signals.refresh(self.now, [0 if idle[slot] else present[slot] for slot in range(self.count)])

    @property
    def service(self) -> list[float]:
        return self.signals.columns(self.now)["service_time"]

    @property
    def factors(self) -> list[float]:
        return [endpoint.factor for endpoint in self.signals.endpoints]


# Quantiles of the exponential law in an order that mixes large and small: noise without chance.
NOISE = [-math.log(1 - (number * 7 % 16 + 0.5) / 16) for number in range(16)]


def noisy(tick: int, slot: int, mean: float) -> list[float]:
    return [mean * NOISE[(7 * tick + 5 * slot + number) % 16] for number in range(3)]


def test_a_fresh_pool_takes_a_neutral_time_that_divides() -> None:
    columns = Signals(3).columns(0.0)
    assert columns["service_time"] == columns["latency"] == [NEUTRAL] * 3
    assert columns["error_rate"] == columns["reported_load"] == [0.0] * 3


def test_equal_endpoints_have_exactly_equal_times() -> None:
    world = World(10)
    for tick in range(TICKS):
        world.tick({slot: noisy(tick, slot, 0.01) for slot in range(10)})
    assert len(set(world.service)) == 1
    assert world.service[0] == pytest.approx(0.01, rel=0.15)


def test_a_slow_endpoint_is_found_and_measured() -> None:
    world = World(10)
    for tick in range(TICKS):
        world.tick({slot: noisy(tick, slot, 0.04 if slot >= 8 else 0.01) for slot in range(10)})
    assert world.factors[:8] == [1.0] * 8
    assert world.factors[8:] == pytest.approx([4.0, 4.0], rel=0.1)
    assert world.service[9] / world.service[0] == pytest.approx(4.0, rel=0.1)


def test_what_is_in_flight_is_not_taken_for_speed() -> None:
    # Servers of many workers: a first byte takes 50 ms however many are there. Dividing would make the fullest look ten times faster.
    world = World(4)
    for tick in range(TICKS):
        world.tick({slot: [0.05] * 3 for slot in range(4)}, inflight={slot: 1 + (tick + slot) % 4 * 10 for slot in range(4)})
    for _ in range(TICKS):
        world.tick({slot: [0.05] * 3 for slot in range(4)}, inflight={0: 31, 1: 1, 2: 11, 3: 21})
    assert world.factors == [1.0] * 4


def test_queues_of_different_length_are_not_taken_for_speed_either() -> None:
    world = World(4)
    for tick in range(2 * TICKS):
        present = {slot: 1 + (tick // 50 + slot) % 4 for slot in range(4)}
        world.tick({slot: [0.01 * present[slot]] * 3 for slot in range(4)}, inflight=present)
    assert world.factors == pytest.approx([1.0] * 4, abs=0.1)


def test_one_enormous_latency_moves_nothing() -> None:
    world = World(10)
    for tick in range(TICKS):
        world.tick({slot: noisy(tick, slot, 0.01) for slot in range(10)})
    world.tick({slot: [1000.0] if slot == 3 else noisy(0, slot, 0.01) for slot in range(10)})
    assert world.factors == [1.0] * 10


def test_a_factor_moves_no_faster_than_requests_in_flight_come_and_go() -> None:
    # 1,000 in flight at 30 a tick stay more than 3 s; of the way to 4, a second goes less than half.
    world = World(10)
    for tick in range(TICKS):
        world.tick({slot: noisy(tick, slot, 0.01) for slot in range(10)}, inflight=dict.fromkeys(range(10), 100))
    for tick in range(10):
        world.tick({slot: noisy(tick, slot, 0.08 if slot == 0 else 0.01) for slot in range(10)}, inflight=dict.fromkeys(range(10), 100))
    assert 1.0 < world.factors[0] < 1.0 + 0.5 * (world.signals.endpoints[0].estimate - 1.0)


def test_failing_fast_is_slow() -> None:
    world = World(10)
    for tick in range(3):
        world.tick({slot: noisy(tick, slot, 0.01) for slot in range(9)}, failures={9: 20})
    assert world.service[9] > 5 * world.service[0]
    assert world.signals.columns(world.now)["latency"][9] > 3 * world.signals.columns(world.now)["latency"][0]
    assert world.signals.columns(world.now)["error_rate"] == [0.0] * 9 + [1.0]


def test_failing_fast_is_slow_with_many_in_flight_elsewhere() -> None:
    world = World(10)
    for tick in range(3):
        world.tick({slot: noisy(tick, slot, 0.01) for slot in range(9)}, inflight=dict.fromkeys(range(9), 50), failures={9: 20})
    assert world.service[9] > 51 * world.service[0]


def test_a_5xx_teaches_nothing_about_latency() -> None:
    signals = Signals(2)
    signals.answered(0, 0.000_1, 1, ok=False)
    assert signals.endpoints[0].samples == 0.0
    assert signals.endpoints[0].errors == 1.0


def test_errors_that_everybody_has_blame_nobody() -> None:
    world = World(10)
    for tick in range(TICKS):
        world.tick({slot: noisy(tick, slot, 0.01) for slot in range(10)}, failures=dict.fromkeys(range(10), 1))
    assert len(set(world.service)) == 1


def test_the_error_rate_is_that_of_the_last_ten_seconds() -> None:
    world = World(2)
    world.tick({0: [0.01] * 50, 1: [0.01]}, failures={0: 50})
    assert error_rate(world.signals.endpoints[0]) == pytest.approx(0.5)
    for _ in range(300):
        world.tick({0: [0.01], 1: [0.01]})
    assert error_rate(world.signals.endpoints[0]) < 0.03


def test_a_stream_that_stays_keeps_no_endpoint_from_coming_back() -> None:
    world = World(10)
    for tick in range(20):
        world.tick({**{slot: noisy(tick, slot, 0.01) for slot in range(9)}, 9: noisy(tick, 9, 0.04)})
    away = 0
    while world.service[9] > 1.01 * world.service[0]:
        for slot in range(9):
            world.signals.picked(slot)
            world.signals.answered(slot, noisy(away, slot, 0.01)[0], 1, ok=True)
        world.now += REFRESH
        world.signals.refresh(world.now, [1] * 10)
        away += 1
        assert away * REFRESH < 3600
    assert away * REFRESH > 320, "a request that takes long is not a stream yet"


def test_the_error_rate_of_an_endpoint_that_gets_nothing_comes_back_to_the_pools_median() -> None:
    # By `least(error_rate)` it would otherwise get nothing for ever.
    world = World(3)
    world.tick({}, failures={0: 20, 1: 1, 2: 1})
    for _ in range(50):
        world.tick({1: [0.01], 2: [0.01]})
    assert world.signals.columns(world.now)["error_rate"][0] == 1.0, "the last it is known for"
    for _ in range(1000):
        world.tick({1: [0.01] * 3, 2: [0.01] * 3}, failures={1: 1, 2: 1})
    rates = world.signals.columns(world.now)["error_rate"]
    assert rates[0] == pytest.approx(0.25, abs=0.01)
    assert rates[0] == pytest.approx(rates[1], abs=0.01)
    world.signals.joined(1, world.now)
    assert world.signals.columns(world.now)["error_rate"][1] == rates[2], "of who is new the pool's median is all that is known"


@pytest.mark.parametrize("failing", [False, True], ids=["slow", "failing"])
def test_an_endpoint_that_gets_nothing_comes_back_to_the_pools_median(failing: bool) -> None:  # noqa: FBT001
    world = World(10)
    for tick in range(20):
        slow = {} if failing else {9: noisy(tick, 9, 0.04)}
        world.tick({**{slot: noisy(tick, slot, 0.01) for slot in range(9)}, **slow}, failures={9: 20} if failing else {})
    assert world.service[9] > 2 * world.service[0]
    away = 0
    while world.service[9] > 1.01 * world.service[0]:
        world.tick({slot: noisy(away, slot, 0.01) for slot in range(9)})
        away += 1
        assert away * REFRESH < 150
    assert away * REFRESH > 10, "not at once either"


def test_an_endpoint_that_joins_or_recovers_begins_at_the_pools_median() -> None:
    world = World(4)
    for tick in range(TICKS):
        world.tick({slot: noisy(tick, slot, 0.08 if slot == 3 else 0.01) for slot in range(4)})
    assert world.service[3] > 5 * world.service[0]
    world.signals.joined(3, world.now)
    assert world.service[3] == pytest.approx(world.service[0], rel=0.2)
    assert world.signals.columns(world.now + 2.0)["age"][3] == pytest.approx(2.0)


def test_a_report_counts_until_it_is_stale_and_then_as_the_median_of_the_fresh() -> None:
    signals = Signals(4)
    for slot, load in ((0, 0.2), (1, 0.4), (2, 0.9)):
        signals.report(slot, 1.0 if slot < 2 else 0.0, load, {"kv_cache": load * 10} if slot else {})
    assert signals.columns(1.0)["reported_load"] == [0.2, 0.4, 0.9, 0.4]
    assert signals.columns(10.5)["reported_load"] == pytest.approx([0.2, 0.4, 0.3, 0.3])
    assert signals.columns(10.5)["reported:kv_cache"] == [4.0] * 4
    assert signals.columns(99.0)["reported_load"] == [0.0] * 4


@pytest.mark.parametrize(
    ("told", "own", "others"),
    [(7.0, 3, 4.0), (7.9, 3, 4.0), (3.0, 3, 0.0), (2.0, 3, 0.0), (-1.0, 0, 0.0), (math.nan, 0, 0.0), (math.inf, 1, 2.0**31 - 1)],
)
def test_a_server_s_own_count_tells_of_other_gateways_requests_until_it_is_stale(told: float, own: int, others: float) -> None:
    signals = Signals(2)
    signals.report(0, 1.0, 0.5, {"inflight": told}, own)
    assert signals.columns(11.0)["others"] == [others, 0.0]
    assert signals.columns(11.1)["others"] == [0.0, 0.0], "no median here: nobody knows of others"
    signals.report(0, 2.0, 0.5, {}, own)
    assert signals.columns(2.0)["others"] == [0.0, 0.0]


def test_two_in_an_octave_are_the_bins() -> None:
    bins = [bin_of(number) for number in range(1, 17)]
    assert bins == [1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 8]
    assert bin_of(2**40) < BINS
    assert bin_of(0) == 1


def test_the_median_of_an_even_number_is_the_mean_of_the_middle_two() -> None:
    assert median([3.0, 1.0, 2.0], 9.0) == 2.0
    assert median([4.0, 1.0, 2.0, 3.0], 9.0) == 2.5
    assert median([], 9.0) == 9.0


EVENT = st.tuples(
    st.sampled_from(["pick", "answer", "error", "fail", "refresh", "join"]),
    st.integers(0, 3),
    st.floats(0.0, 1e6),
    st.integers(1, 2**20),
)


@given(st.lists(EVENT, max_size=60))
def test_whatever_happens_times_are_positive_and_finite(events: list[tuple[str, int, float, int]]) -> None:
    signals, now = Signals(4), 0.0
    for what, slot, number, inflight in events:
        if what == "pick":
            signals.picked(slot)
        elif what in {"answer", "error"}:
            signals.answered(slot, number, inflight, ok=what == "answer")
        elif what == "fail":
            signals.failed(slot)
        elif what == "join":
            signals.joined(slot, now)
        else:
            now += number
            signals.refresh(now, [inflight % 3, 0, inflight, 1])
        columns = signals.columns(now)
        assert all(0.0 < value < math.inf for name in ("latency", "service_time") for value in columns[name])
        assert all(0.0 <= value <= 1.0 for value in columns["error_rate"])
