"""Names become addresses without anybody waiting for them."""

import socket
from collections.abc import Callable
from math import inf

import pytest

from forebay.control.resolve import Resolver, lookup

APP = "app.example:80"


class Network:
    """A name server with a script, and workers that work when told to."""

    def __init__(self) -> None:
        self.answers: dict[str, list[str] | OSError] = {}
        self.asked: list[str] = []
        self.woken = 0
        self._jobs: list[Callable[[], None]] = []
        self.resolver = Resolver(self._jobs.append, self._wake, self._ask)

    def work(self) -> None:
        jobs, self._jobs[:] = list(self._jobs), []
        for job in jobs:
            job()

    def turn(self, now: float) -> float:
        """Let the look-ups that are due happen at once; returns when the next one is."""
        self.resolver.turn(now)
        self.work()
        return self.resolver.turn(now)

    def _ask(self, host: str, port: int) -> list[str]:
        name = f"{host}:{port}"
        self.asked.append(name)
        answer = self.answers[name]
        if isinstance(answer, OSError):
            raise answer
        return answer

    def _wake(self) -> None:
        self.woken += 1


@pytest.fixture
def network() -> Network:
    network = Network()
    network.resolver.want({APP})
    return network


def test_a_look_up_that_hangs_holds_nothing_up_and_its_name_has_no_address_meanwhile(network: Network) -> None:
    assert network.resolver.turn(0) == inf
    assert network.resolver.resolved() == {APP: ()}
    assert network.resolver.errors() == {APP: "the first look-up is still running"}


def test_an_answer_wakes_control_and_is_in_force_after_its_next_turn(network: Network) -> None:
    network.answers[APP] = ["10.0.0.1:80", "10.0.0.2:80"]
    network.resolver.turn(0)
    network.work()
    assert network.woken == 1
    network.resolver.turn(0)
    assert network.resolver.resolved() == {APP: ("10.0.0.1:80", "10.0.0.2:80")}
    assert network.resolver.errors() == {}


def test_a_failing_look_up_is_repeated_after_half_a_second_and_then_twice_as_long_up_to_thirty(network: Network) -> None:
    network.answers[APP] = OSError(-2, "Name or service not known")
    now, waits = 0.0, []
    for _ in range(9):
        due = network.turn(now)
        waits.append(due - now)
        now = due
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert network.resolver.errors() == {APP: "Name or service not known"}


def test_a_good_answer_is_asked_for_again_every_thirty_seconds(network: Network) -> None:
    network.answers[APP] = ["10.0.0.1:80"]
    assert network.turn(100) == 130
    network.turn(129.9)
    assert network.asked == [APP]
    network.turn(130)
    assert network.asked == [APP, APP]


def test_a_later_failure_keeps_the_last_good_addresses_and_starts_again_with_half_a_second(network: Network) -> None:
    network.answers[APP] = ["10.0.0.1:80"]
    network.turn(0)
    network.answers[APP] = OSError("the name server is away")
    assert network.turn(30) == 30.5
    assert network.resolver.resolved() == {APP: ("10.0.0.1:80",)}


def test_an_answer_without_addresses_counts_as_a_failure(network: Network) -> None:
    network.answers[APP] = ["10.0.0.1:80"]
    network.turn(0)
    network.answers[APP] = []
    network.turn(30)
    assert network.resolver.resolved() == {APP: ("10.0.0.1:80",)}
    assert network.resolver.errors() == {APP: "the name has no address"}


def test_a_change_adds_the_new_address_a_second_before_the_old_one_leaves(network: Network) -> None:
    network.answers[APP] = ["10.0.0.1:80"]
    network.turn(0)
    network.answers[APP] = ["10.0.0.2:80"]
    assert network.turn(30) == 31
    assert network.resolver.resolved() == {APP: ("10.0.0.2:80", "10.0.0.1:80")}
    assert network.turn(31) == 60
    assert network.resolver.resolved() == {APP: ("10.0.0.2:80",)}


def test_a_name_is_never_asked_for_twice_at_once(network: Network) -> None:
    network.resolver.turn(0)
    network.resolver.turn(1000)
    network.answers[APP] = ["10.0.0.1:80"]
    network.work()
    assert network.asked == [APP]


def test_a_name_that_stays_keeps_its_addresses_and_one_that_goes_is_forgotten(network: Network) -> None:
    network.answers |= {APP: ["10.0.0.1:80"], "other.example:81": ["10.0.0.9:81"]}
    network.turn(0)
    network.resolver.want({APP, "other.example:81"})
    assert network.resolver.resolved() == {APP: ("10.0.0.1:80",), "other.example:81": ()}
    network.turn(0)
    network.resolver.want({"other.example:81"})
    assert network.resolver.resolved() == {"other.example:81": ("10.0.0.9:81",)}


Found = list[tuple[socket.AddressFamily, int, int, str, tuple[object, ...]]]
V4: Found = [(socket.AF_INET, 1, 6, "", (address, 80)) for address in ("10.0.0.2", "10.0.0.1", "10.0.0.2")]
V6: Found = [(socket.AF_INET6, 1, 6, "", ("2001:db8::1", 80, 0, 0))]


@pytest.mark.parametrize(
    ("found", "addresses"),
    [(V4, ["10.0.0.1:80", "10.0.0.2:80"]), (V6, ["[2001:db8::1]:80"]), (V6 + V4, ["10.0.0.1:80", "10.0.0.2:80"])],
    ids=["v4", "v6", "both"],
)
def test_a_look_up_gives_each_server_once_in_a_fixed_order(monkeypatch: pytest.MonkeyPatch, found: Found, addresses: list[str]) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert lookup("app.example", 80) == addresses


def test_a_family_that_the_system_leaves_out_is_asked_for_after_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_without_flags(*_: object, flags: int = 0, **__: object) -> Found:
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return V4

    monkeypatch.setattr(socket, "getaddrinfo", only_without_flags)
    assert lookup("localhost", 80) == ["10.0.0.1:80", "10.0.0.2:80"]


def test_a_name_is_pending_until_its_first_answer_good_or_bad(network: Network) -> None:
    assert network.resolver.pending() == {APP}
    network.answers[APP] = OSError("the name server is away")
    network.turn(0)
    assert network.resolver.pending() == set()
