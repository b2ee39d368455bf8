"""Keys of requests: how often each comes, where it goes, and what a server that knows it saves."""

from collections import Counter
from dataclasses import replace

import pytest

from forebay.balance import parse
from forebay.simulate import Cache, Deterministic, Keys, Poisson, Result, Scenario, Server, compare, preset, simulate
from forebay.simulate.draws import stream
from forebay.simulate.keys import Kept, Popularity
from forebay.simulate.native import native
from forebay.types import Malformed

from .pickers import by_turns, picking


def test_keys_come_by_zipfs_law() -> None:
    popularity, uniform = Popularity(Keys(count=4, exponent=1.0)), stream(1, "keys")
    counted = Counter(popularity.draw(uniform) for _ in range(25_000))
    assert [counted[key] / 25_000 for key in range(4)] == pytest.approx([12 / 25, 6 / 25, 4 / 25, 3 / 25], abs=0.01)


def test_with_an_exponent_of_nothing_all_keys_are_alike() -> None:
    popularity, uniform = Popularity(Keys(count=10, exponent=0.0)), stream(1, "keys")
    counted = Counter(popularity.draw(uniform) for _ in range(20_000))
    assert all(count == pytest.approx(2000, rel=0.1) for count in counted.values())


def test_a_server_keeps_the_keys_that_it_was_last_asked_for() -> None:
    kept = Kept(Cache(size=2, factor=5.0))
    assert [kept.work(key, 1.0) for key in (1, 2, 1, 3, 1, 2)] == [1.0, 1.0, 0.2, 1.0, 0.2, 1.0]


def test_a_key_that_the_server_has_costs_less_work() -> None:
    scenario = Scenario("one", "", (Server(cache=Cache(1, factor=4.0)),), Poisson(0.1), Deterministic(1.0), keys=Keys(count=1))
    result = simulate(scenario, picking(by_turns), requests=100)
    assert result.p50 == 0.25
    assert result.maximum >= 1.0


def test_all_policies_meet_the_same_keys() -> None:
    of = caches("consistent_hash", "consistent_hash(table='ring')")
    assert of["consistent_hash"].record.times == of["consistent_hash(table='ring')"].record.times


def test_hashing_by_key_spares_work_where_servers_keep_what_they_have_seen() -> None:
    of = caches("consistent_hash", "least_connections", requests=30_000)
    assert of["consistent_hash"].utilisation < 0.6 * of["least_connections"].utilisation
    assert of["consistent_hash"].mean < of["least_connections"].mean


def test_a_bound_on_the_load_holds_a_hash_up_where_keys_are_not_alike() -> None:
    scenario = preset("keys")
    policies = {name: native(parse(name)) for name in ("consistent_hash", "consistent_hash(bounded_load=1.25)")}
    of = compare(scenario, policies, requests=20_000, seed=1)
    assert max(of["consistent_hash"].shares) > 0.13
    assert of["consistent_hash(bounded_load=1.25)"].p99 < 0.2 * of["consistent_hash"].p99


def test_servers_without_keys_keep_nothing() -> None:
    scenario = replace(preset("caches"), keys=None)
    assert simulate(scenario, picking(by_turns), requests=5000).utilisation == pytest.approx(0.7, rel=0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Keys(count=0), "there are 0 keys"),
        (lambda: Keys(exponent=-1.0), "the exponent of the keys is -1"),
        (lambda: Cache(0), "a cache holds 0 keys"),
        (lambda: Cache(1, factor=0.0), "factor is 0"),
    ],
)
def test_keys_and_caches_that_make_no_sense_are_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(Malformed, match=message):
        make()


def caches(*policies: str, requests: int = 1000) -> dict[str, Result]:
    return compare(preset("caches"), {name: native(parse(name)) for name in policies}, requests=requests, seed=1)
