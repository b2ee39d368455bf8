"""Servers: each model against what it must give, request by request."""

import pytest

from forebay.simulate.clock import Clock
from forebay.simulate.machines import Machine, Queue, Sharing


class Bench:
    """A clock, and when each request was answered."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.answers: dict[int, float] = {}

    def answered(self, request: int) -> None:
        self.answers[request] = self.clock.now

    def queue(self, speed: float = 1.0, workers: int = 1, *, holds: bool = False) -> Queue:
        return Queue(self.clock, self.answered, speed=speed, workers=workers, holds=holds)

    def sharing(self, speed: float = 1.0, workers: int = 1) -> Sharing:
        return Sharing(self.clock, self.answered, speed=speed, workers=workers)

    def feed(self, machine: Machine, *arrivals: tuple[float, float]) -> None:
        """Let requests 0, 1, ... come at those times with that work, and run to the end."""
        for request, (time, work) in enumerate(arrivals):
            self.clock.at(time, lambda given: machine.arrive(*given), (request, work))
        self.run()

    def run(self) -> None:
        self.clock.run(lambda: False)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_one_worker_serves_in_the_order_of_arrival(bench: Bench) -> None:
    machine = bench.queue(speed=2.0)
    bench.feed(machine, (0.0, 4.0), (1.0, 2.0), (5.0, 2.0))
    assert bench.answers == {0: 2.0, 1: 3.0, 2: 6.0}
    assert machine.busy() == pytest.approx(4.0)
    assert machine.present == 0


def test_several_workers_serve_side_by_side_and_the_rest_wait(bench: Bench) -> None:
    machine = bench.queue(workers=2)
    bench.feed(machine, (0.0, 4.0), (0.0, 1.0), (0.5, 1.0))
    assert bench.answers == {0: 4.0, 1: 1.0, 2: 2.0}
    assert machine.busy() == pytest.approx(6.0)


def test_sharing_gives_each_an_even_part(bench: Bench) -> None:
    # Alone for 1 s, then half: 2 left at 1 s each take twice as long; the shorter is done at 3, the longer then alone.
    machine = bench.sharing()
    bench.feed(machine, (0.0, 3.0), (1.0, 1.0))
    assert bench.answers == pytest.approx({1: 3.0, 0: 4.0})
    assert machine.busy() == pytest.approx(4.0)


def test_sharing_gives_nobody_more_than_one_worker(bench: Bench) -> None:
    bench.feed(bench.sharing(workers=2), (0.0, 1.0), (0.0, 1.0), (0.0, 1.0))
    assert bench.answers == pytest.approx(dict.fromkeys(range(3), 1.5))


def test_work_under_way_shares_a_new_speed_at_once_and_a_queue_from_the_next_service_on(bench: Bench) -> None:
    for machine, expected in ((bench.sharing(), {0: 6.0, 1: 6.0}), (bench.queue(), {0: 2.0, 1: 6.0})):
        bench.clock.at(bench.clock.now + 1.0, machine.set_speed, 0.5)
        start = bench.clock.now
        machine.arrive(0, 2.0)
        machine.arrive(1, 2.0) if isinstance(machine, Queue) else machine.arrive(1, 1.5)
        bench.run()
        took = {request: time - start for request, time in bench.answers.items()}
        assert took[0] <= expected[0]
        if isinstance(machine, Queue):
            assert took == expected
        else:
            # 0.5 of each is done after 1 s; then 1 of one at a quarter each until 5 s, and 0.5 of the other alone at half.
            assert took == pytest.approx({1: 5.0, 0: 6.0})
        bench.answers.clear()


def test_a_body_holds_its_worker_until_it_ends(bench: Bench) -> None:
    machine = bench.queue(holds=True)
    bench.clock.at(5.0, machine.release, 0)
    bench.feed(machine, (0.0, 1.0), (2.0, 1.0))
    assert bench.answers == {0: 1.0, 1: 6.0}
    assert machine.present == 1, "the second body is still there"


@pytest.mark.parametrize("sharing", [False, True], ids=["queue", "sharing"])
def test_a_crash_loses_everything_and_the_machine_goes_on_afterwards(bench: Bench, sharing: bool) -> None:  # noqa: FBT001
    machine: Machine = bench.sharing() if sharing else bench.queue()
    machine.arrive(0, 2.0)
    machine.arrive(1, 2.0)
    lost: list[int] = []
    bench.clock.at(1.0, lambda _: lost.extend(machine.clear()), None)
    bench.clock.at(1.5, lambda _: machine.arrive(2, 1.0), None)
    bench.run()
    assert lost == [0, 1]
    assert bench.answers == pytest.approx({2: 2.5})
    assert machine.present == 0


def test_a_body_that_a_crash_has_cut_frees_no_worker_again(bench: Bench) -> None:
    machine = bench.queue(holds=True)
    machine.arrive(0, 1.0)
    bench.clock.at(2.0, lambda _: machine.clear(), None)
    bench.clock.at(3.0, machine.release, 0)
    for request in (1, 2):
        bench.clock.at(4.0, lambda given: machine.arrive(*given), (request, 1.0))
    bench.run()
    assert bench.answers == {0: 1.0, 1: 5.0}, "the third waits for the second's body"


def test_events_of_one_moment_happen_in_the_order_in_which_they_were_made(bench: Bench) -> None:
    seen: list[str] = []
    for name in "abc":
        bench.clock.at(1.0, seen.append, name)
    bench.run()
    assert seen == ["a", "b", "c"]
