"""All sources together, as the loop uses them: nobody waits for an answer, and nothing is lost for want of one."""

import json
import logging
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import pytest

from forebay import Endpoint, Gateway, Pool, Route
from forebay.config.schema import GatewayConfig
from forebay.config.sources import Source, sources
from forebay.control.discovery import Discovery, Memory
from forebay.control.discovery.answers import Answer, Failed, Found, Nothing
from forebay.control.keep import Kept
from forebay.testing import FakeClock

APP = "app.example:80"
SERVICE = "_http._tcp.app.example"


def gateway(**pools: Pool) -> GatewayConfig:
    return Gateway(listen="127.0.0.1:0", pools=pools, routes=[Route(pool=name) for name in pools])


class Network:
    """Sources with a script, workers that work when told to, and a clock that stands still."""

    def __init__(self, *, directory: Path | None = None, wall: float = 1_000_000) -> None:
        self.answers: dict[str, Answer[Any] | Exception] = {}
        self.asked: list[str] = []
        self.woken = 0
        self.clock = FakeClock(100)
        self.jobs: list[Callable[[], None]] = []
        self.wall = FakeClock(wall)
        memory = Memory(Kept(directory), self.wall) if directory else None
        self.discovery = Discovery(self.jobs.append, self._wake, self.clock, memory=memory, ask=self._ask)

    def want(self, **pools: Pool) -> None:
        wanted = sources(gateway(**pools))
        self.discovery.want(wanted)

    def work(self) -> None:
        while self.jobs:
            self.jobs.pop(0)()

    def turn(self, seconds: float = 0) -> float:
        """Let time pass and what is due happen at once; returns how long there is nothing to do then."""
        self.clock.advance(seconds)
        self.wall.advance(seconds)
        due = self.discovery.turn(self.clock())
        while self.jobs:
            self.work()
            due = self.discovery.turn(self.clock())
        return due - self.clock()

    def _ask(self, source: Source) -> Answer[Any]:
        self.asked.append(source.text)
        answer = self.answers[source.text]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _wake(self) -> None:
        self.woken += 1


@pytest.fixture
def network() -> Network:
    network = Network()
    network.want(app=Pool([APP]))
    return network


def addresses(*hosts: int, ttl: float = 30) -> Found[str]:
    return Found(tuple(f"10.0.0.{host}:80" for host in hosts), ttl)


def test_a_look_up_that_hangs_holds_nothing_up_and_its_name_has_no_address_meanwhile(network: Network) -> None:
    assert network.discovery.turn(100) == inf
    assert network.discovery.resolved() == {APP: ()}
    assert network.discovery.errors() == {APP: "the first look-up is still running"}
    assert network.discovery.pending() == {APP}


def test_a_name_is_never_asked_for_twice_at_once(network: Network) -> None:
    network.discovery.turn(100)
    network.discovery.turn(5000)
    assert len(network.jobs) == 1


def test_an_answer_wakes_control_and_is_in_force_after_its_next_turn(network: Network) -> None:
    network.answers[APP] = addresses(1, 2)
    network.discovery.turn(100)
    network.work()
    assert (network.woken, network.discovery.resolved()) == (1, {APP: ()})
    network.discovery.turn(100)
    assert network.discovery.resolved() == {APP: ("10.0.0.1:80", "10.0.0.2:80")}
    assert (network.discovery.errors(), network.discovery.pending()) == ({}, set())


def test_a_name_is_pending_until_its_first_answer_good_or_bad(network: Network) -> None:
    network.answers[APP] = Failed("timed out")
    network.turn()
    assert network.discovery.pending() == set()


def test_whatever_a_look_up_raises_is_an_answer_that_was_not_given(network: Network) -> None:
    network.answers[APP] = addresses(1)
    network.turn()
    network.answers[APP] = RecursionError("too deep")
    network.turn(30)
    assert network.discovery.resolved() == {APP: ("10.0.0.1:80",)}
    assert network.discovery.errors() == {APP: "RecursionError: too deep"}


def test_a_name_that_stays_keeps_its_addresses_and_one_that_goes_is_forgotten(network: Network) -> None:
    network.answers |= {APP: addresses(1), "other.example:81": Found(("10.0.0.9:81",), 30)}
    network.turn()
    network.want(app=Pool([APP, "other.example:81"]))
    assert network.discovery.resolved() == {APP: ("10.0.0.1:80",), "other.example:81": ()}
    network.turn()
    network.want(app=Pool(["other.example:81"]))
    assert network.discovery.resolved() == {"other.example:81": ("10.0.0.9:81",)}


def test_two_pools_share_a_name_unless_one_looks_names_up_in_its_own_manner(network: Network) -> None:
    network.answers[APP] = addresses(1)
    network.want(a=Pool([APP]), b=Pool([APP]), c=Pool([APP], discovery={"nameservers": "127.0.0.1:5353"}))
    network.turn()
    assert set(network.discovery.resolved()) == {APP, f"{APP} (pools.c)"}
    assert network.asked == [APP, APP]
    assert [each["pools"] for each in network.discovery.report()] == [["a", "b"], ["c"]]


def test_a_stale_source_is_visible_with_its_age(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    network.answers[APP] = addresses(1)
    network.turn()
    assert network.discovery.ages() == {}
    network.answers[APP] = Failed("127.0.0.1:53 answered SERVFAIL")
    network.turn(30)
    network.turn(60)
    assert network.discovery.ages() == {APP: 90}
    expected = {"source": APP, "kind": "name", "pools": ["app"], "state": "stale", "age": 90, "found": 1}
    assert network.discovery.report() == [{**expected, "error": "127.0.0.1:53 answered SERVFAIL"}]
    assert caplog.messages == [f"{APP}: 127.0.0.1:53 answered SERVFAIL; kept: 1 address, confirmed 30 s ago"]


def test_a_source_that_never_said_anything_has_no_age(network: Network) -> None:
    network.answers[APP] = Nothing("there is no such name (NXDOMAIN)")
    network.turn()
    assert [(each["state"], each["age"]) for each in network.discovery.report()] == [("empty", None)]


def test_each_change_of_how_good_a_source_is_is_told_once(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for answer, later in (
        (addresses(1, 2, 3), 0),
        (addresses(1), 30),
        (Nothing("NXDOMAIN"), 30),
        (Nothing("NXDOMAIN"), 30),
        (addresses(7), 30),
    ):
        network.answers[APP] = answer
        network.turn(later)
    assert caplog.messages == [
        f"{APP}: it names 1 where it named 3; that is believed after 60 s; kept for now: 3 addresses",
        f"{APP}: NXDOMAIN; that has been said for long enough, and its endpoints leave",
        f"{APP}: answers again: 1 address",
    ]


@pytest.mark.parametrize("endpoint", ["10.0.0.1:80", "two", "two@10.0.0.1:80", APP])
def test_a_doubt_about_an_endpoint_has_its_name_looked_up_at_once(network: Network, endpoint: str) -> None:
    network.want(app=Pool([Endpoint(APP, id="two"), APP] if endpoint == "two" else [Endpoint(APP, id="two")]))
    network.answers[APP] = addresses(1)
    network.turn()
    network.turn(5)
    assert network.asked == [APP]
    network.discovery.doubt("app", "two" if endpoint == APP else endpoint)
    network.turn()
    assert network.asked == [APP, APP]


def test_a_doubt_about_another_endpoint_or_pool_asks_for_nothing(network: Network) -> None:
    network.answers[APP] = addresses(1)
    network.turn()
    network.discovery.doubt("app", "10.0.0.2:80")
    network.discovery.doubt("other", "10.0.0.1:80")
    network.turn(5)
    assert network.asked == [APP]


class TestLists:
    """Services, whose endpoints are names, and files."""

    SRV = Pool(discovery={"srv": SERVICE})
    KEY = f"srv:{SERVICE} (pools.app)"

    def test_the_names_that_a_service_gives_are_looked_up_in_turn(self, network: Network) -> None:
        network.want(app=self.SRV)
        network.answers |= {SERVICE: Found((Endpoint("a.example:81", weight=3),), 30), "a.example:81": Found(("10.0.0.1:81",), 30)}
        network.discovery.turn(100)
        assert network.discovery.pending() == {self.KEY}
        network.work()
        network.discovery.turn(100)
        assert network.discovery.pending() == {self.KEY, "a.example:81"}
        network.turn()
        assert network.discovery.pending() == set()
        assert network.discovery.lists() == {self.KEY: (Endpoint("a.example:81", weight=3),)}
        assert network.discovery.resolved() == {"a.example:81": ("10.0.0.1:81",)}

    def test_an_endpoint_of_a_service_leaves_only_when_the_new_one_has_an_address(self, network: Network) -> None:
        network.want(app=self.SRV)
        old, new = Endpoint("a.example:81"), Endpoint("b.example:81")
        network.answers |= {SERVICE: Found((old,), 30), "a.example:81": Found(("10.0.0.1:81",), 60)}
        network.turn()
        network.answers |= {SERVICE: Found((new,), 30), "b.example:81": Failed("timed out")}
        network.turn(30)
        network.turn(20)
        assert network.discovery.lists() == {self.KEY: (new, old)}
        network.answers["b.example:81"] = Found(("10.0.0.2:81",), 60)
        network.turn(9)
        network.turn(1)
        network.turn(1)
        assert network.discovery.lists() == {self.KEY: (new,)}
        assert network.discovery.resolved() == {"b.example:81": ("10.0.0.2:81",)}

    def test_a_doubt_asks_for_the_service_as_well_as_for_the_name(self, network: Network) -> None:
        network.want(app=self.SRV)
        network.answers |= {SERVICE: Found((Endpoint("a.example:81"),), 30), "a.example:81": Found(("10.0.0.1:81",), 30)}
        network.turn()
        network.asked.clear()
        network.discovery.doubt("app", "10.0.0.1:81")
        network.turn(2)
        assert sorted(network.asked) == [SERVICE, "a.example:81"]

    def test_a_file_serves_when_it_is_seen_and_its_names_are_looked_up(self, network: Network, tmp_path: Path) -> None:
        file = tmp_path / "endpoints.json"
        file.write_text(json.dumps(["10.0.0.5:80", {"address": APP, "tier": 1}]))
        network.answers[APP] = addresses(1)
        watch_nothing(network)
        network.want(app=Pool(discovery={"file": str(file)}))
        network.discovery.files.look()
        network.turn()
        assert network.discovery.lists() == {f"file:{file} (pools.app)": (Endpoint("10.0.0.5:80"), Endpoint(APP, tier=1))}
        assert network.discovery.resolved() == {APP: ("10.0.0.1:80",)}

    def test_a_pool_that_comes_to_a_file_that_is_watched_already_is_told_what_it_says(self, network: Network, tmp_path: Path) -> None:
        file = tmp_path / "endpoints.json"
        file.write_text('["10.0.0.5:80"]')
        pool = Pool(discovery={"file": str(file)})
        watch_nothing(network)
        network.want(a=pool)
        network.discovery.files.look()
        network.want(a=pool, b=pool)
        network.discovery.files.look()
        network.turn()
        assert list(network.discovery.lists().values()) == [(Endpoint("10.0.0.5:80"),)] * 2

    def test_a_file_that_holds_nothing_any_more_loses_its_endpoints_when_the_grace_is_over(
        self, network: Network, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        file = tmp_path / "endpoints.json"
        file.write_text('["10.0.0.5:80"]')
        watch_nothing(network)
        network.want(app=Pool(discovery={"file": str(file)}))
        network.discovery.files.look()
        network.turn()
        replace(file, "[]")
        network.discovery.files.look()
        assert network.turn(10) == 60
        network.turn(59)
        assert len(*network.discovery.lists().values()) == 1
        network.turn(1)
        network.turn(1)
        assert list(network.discovery.lists().values()) == [()]
        assert "and its endpoints leave" in caplog.messages[-1]


def watch_nothing(network: Network) -> None:
    """Have files looked at only when the test does."""
    network.discovery.files.start = lambda: None  # type: ignore[method-assign]


def replace(file: Path, text: str) -> None:
    other = file.with_name("other")
    other.write_text(text)
    other.replace(file)


class TestMemory:
    """What is known outlives the process."""

    def test_a_restart_with_its_sources_away_serves_what_they_said_last_and_says_how_old_that_is(self, tmp_path: Path) -> None:
        first = Network(directory=tmp_path)
        service = Pool(discovery={"srv": SERVICE})
        first.want(app=Pool([APP]), b=service)
        known = Found((Endpoint("a.example:81", weight=3, tier=1),), 30)
        first.answers |= {APP: addresses(1, 2), SERVICE: known, "a.example:81": Found(("10.0.0.3:81",), 30)}
        first.turn()
        second = Network(directory=tmp_path, wall=1_000_060)  # a minute later, after a SIGKILL: nothing was told to stop
        second.want(app=Pool([APP]), b=service)
        assert second.discovery.resolved() == {APP: ("10.0.0.1:80", "10.0.0.2:80"), "a.example:81": ("10.0.0.3:81",)}
        assert second.discovery.lists() == {f"srv:{SERVICE} (pools.b)": known.items}
        assert second.discovery.pending() == set()
        second.answers |= dict.fromkeys((APP, SERVICE, "a.example:81"), Failed("timed out"))
        second.turn(5)
        assert second.discovery.ages() == {APP: 65, SERVICE: 65, "a.example:81": 65}
        assert {each["state"] for each in second.discovery.report()} == {"stale"}

    def test_what_changed_is_kept_at_once_and_the_age_every_half_minute(self, tmp_path: Path) -> None:
        network = Network(directory=tmp_path)
        network.want(app=Pool([APP]))
        network.answers[APP] = addresses(1, ttl=1)
        network.turn()
        file = tmp_path / "discovery.json"
        first = file.read_bytes()
        network.turn(1)
        assert file.read_bytes() == first
        network.turn(30)
        assert (confirmed := file.read_bytes()) != first
        network.answers[APP] = addresses(2)
        network.turn(1)
        assert file.read_bytes() != confirmed

    def test_a_stop_keeps_what_is_known_then(self, tmp_path: Path) -> None:
        network = Network(directory=tmp_path)
        network.want(app=Pool([APP]))
        network.answers[APP] = addresses(1, ttl=1)
        network.turn()
        network.turn(20)
        network.discovery.stop()
        kept = json.loads((tmp_path / "discovery.json").read_bytes().splitlines()[1])
        assert kept == {APP: {"items": ["10.0.0.1:80"], "at": 1_000_020}}

    def test_a_gateway_without_sources_keeps_no_file(self, tmp_path: Path) -> None:
        network = Network(directory=tmp_path)
        network.want(app=Pool(["10.0.0.1:80"]))
        network.turn()
        network.discovery.stop()
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("cut", [0, 1, 20, -30, -2])
    def test_a_file_that_is_cut_short_is_ignored_with_one_line(self, tmp_path: Path, caplog: pytest.LogCaptureFixture, cut: int) -> None:
        content = self.kept(tmp_path)
        (tmp_path / "discovery.json").write_bytes(content[:cut])
        network = Network(directory=tmp_path)
        network.want(app=Pool([APP]))
        assert network.discovery.resolved() == {APP: ()}
        assert len(caplog.messages) == 1
        network.answers[APP] = addresses(4)
        network.turn()
        assert network.discovery.resolved() == {APP: ("10.0.0.4:80",)}

    def test_a_file_of_another_version_is_ignored_with_one_line(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        content = self.kept(tmp_path)
        (tmp_path / "discovery.json").write_bytes(content.replace(b'"version": 1', b'"version": 2'))
        Network(directory=tmp_path)
        (said,) = caplog.messages
        assert "it is of version 2, and version 1 is read here" in said

    @pytest.mark.parametrize("item", ["nonsense", "name.example:80", 7, None])
    def test_an_item_that_is_no_address_has_its_source_begin_anew(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, item: object
    ) -> None:
        from forebay.control.discovery.memory import Known

        Memory(Kept(tmp_path)).save({APP: Known([item], 5.0)})
        network = Network(directory=tmp_path)
        network.want(app=Pool([APP]))
        assert network.discovery.resolved() == {APP: ()}
        assert len(caplog.messages) == 1

    def test_a_directory_that_cannot_be_written_is_told_once_and_changes_nothing(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        network = Network(directory=tmp_path / "gone")
        network.want(app=Pool([APP]))
        for host in (1, 2, 3):
            network.answers[APP] = addresses(host)
            network.turn(30)
        assert len([each for each in caplog.messages if "is not kept" in each]) == 1
        assert "10.0.0.3:80" in network.discovery.resolved()[APP]

    @staticmethod
    def kept(directory: Path) -> bytes:
        network = Network(directory=directory)
        network.want(app=Pool([APP]))
        network.answers[APP] = addresses(1)
        network.turn()
        return (directory / "discovery.json").read_bytes()
