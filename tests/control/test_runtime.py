"""The life of a data path, from bound sockets to the last request."""

import io
import sys
import threading
from collections.abc import Iterator

import pytest

from forebay import Gateway, ListenError, Pool
from forebay.control.engine import Callables
from forebay.control.runtime import Runtime, log_format
from forebay.testing import FakeClock, FakeEngine


class House:
    """A runtime whose engine can be looked at, under a clock that goes on only while it waits."""

    def __init__(self, gateway: Gateway) -> None:
        self.clock = FakeClock()
        self.engine: FakeEngine | None = None
        self.runtime = Runtime(gateway, self._make, self.clock)

    @property
    def fake(self) -> FakeEngine:
        assert self.engine is not None
        return self.engine

    def _make(self, snapshot: bytes, threads: int, access_log: str, form: str, callables: Callables) -> FakeEngine:
        self.engine = FakeEngine(snapshot, threads, access_log, form, callables, on_wait=self.clock.advance)
        return self.engine


def gateway(**keys: object) -> Gateway:
    return Gateway(listen="127.0.0.1:0", pools={"app": Pool(["10.0.0.1:80"])}, **keys)


@pytest.fixture
def house() -> Iterator[House]:
    house = House(gateway(threads=3, access_log="/tmp/access.log"))  # noqa: S108 - only named here
    house.runtime.start()
    yield house
    house.runtime.stop(0)


def test_the_engine_gets_the_threads_and_the_access_log_that_were_declared(house: House) -> None:
    assert (house.fake.threads, house.fake.access_log, house.fake.log_format) == (3, "/tmp/access.log", "json")  # noqa: S108


def test_made_it_has_bound_its_listeners_and_accepts_nothing_until_it_is_started() -> None:
    house = House(gateway())
    assert house.fake.state == "bound"
    house.runtime.start()
    assert house.fake.state == "serving"
    house.runtime.stop(0)
    assert house.fake.state == "ended"


def test_a_busy_port_is_refused_before_anything_starts(house: House) -> None:
    address = house.fake.addresses()["default"][0]
    with pytest.raises(ListenError, match=r"already listens there"):
        House(Gateway(listen=address, pools={"app": Pool(["10.0.0.1:80"])}))


def test_a_stop_waits_for_what_runs_and_cuts_nothing_that_ends_in_time(house: House) -> None:
    house.fake.running, house.fake.finishing = 10, 1
    assert house.runtime.stop(30) == 0
    assert house.clock.now < 1


def test_a_stop_cuts_at_its_deadline_and_says_how_many(house: House) -> None:
    house.fake.running = 3
    assert house.runtime.stop(30) == 3
    assert house.clock.now == pytest.approx(30)


def test_a_stop_without_grace_cuts_at_once(house: House) -> None:
    house.fake.running = 3
    assert house.runtime.stop(0) == 3
    assert house.clock.now == 0


def test_a_stop_that_is_hurried_cuts_at_once(house: House) -> None:
    house.fake.running = 3
    house.fake.on_wait = lambda _: house.runtime.hurry()
    assert house.runtime.stop(3600) == 3


def test_a_second_stop_with_less_grace_shortens_the_first(house: House) -> None:
    house.fake.running = 3
    second = threading.Thread(target=house.runtime.stop, args=[5])

    def wait(seconds: float) -> None:
        house.clock.advance(seconds)
        if house.clock.now >= 1 and not second.ident:
            second.start()
        if second.ident:
            # It has set its deadline once it waits for the first to end; until then the clock stands still.
            house.clock.advance(-seconds * (house.runtime.deadline > 6))

    house.fake.on_wait = wait
    assert house.runtime.stop(3600) == 3
    second.join(10)
    assert house.clock.now == pytest.approx(6, abs=0.2)


def test_stopping_again_tells_the_same_number(house: House) -> None:
    house.fake.running = 2
    assert house.runtime.stop(0) == 2
    assert house.runtime.stop(10) == 2


def test_what_interrupts_the_waiting_leaves_nothing_running(house: House) -> None:
    house.fake.running = 2

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    house.fake.on_wait = interrupt
    with pytest.raises(KeyboardInterrupt):
        house.runtime.stop(30)
    assert house.fake.state == "ended"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_records_are_text_on_a_terminal_and_json_everywhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert [log_format(log) for log in ("stdout", "stderr", "off", "/var/log/access.log")] == ["text", "json", "json", "json"]
