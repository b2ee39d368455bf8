"""The engine's counters as plain values."""

import dataclasses
import json

import pytest

from forebay import EndpointStatistics, Gateway, Histogram, Pool, Statistics
from forebay.config.snapshot import snapshot
from forebay.control.loop import encode
from forebay.testing import FakeEngine


def statistics(**observed: object) -> Statistics:
    gateway = Gateway(listen="127.0.0.1:0", pools={"app": Pool(["10.0.0.1:80", "unix:/run/app.sock"])})
    engine = FakeEngine(encode(snapshot(gateway, 4, {})), threads=2, running=3, observed={"app": {"10.0.0.1:80": dict(observed)}})
    parsed = Statistics.parse(engine.statistics())
    engine.shutdown()
    return parsed


def test_everything_is_a_value_with_a_name() -> None:
    parsed = statistics(requests=7, inflight=2, latency={"count": 7, "sum": 0.7, "buckets": [[0.1, 3], [0.2, 4]]})
    assert (parsed.snapshot, parsed.threads, parsed.exchanges.running) == (4, 2, 3)
    assert list(parsed.listeners) == ["default"]
    endpoint = parsed.pools["app"].endpoints["10.0.0.1:80"]
    assert (endpoint.requests, endpoint.inflight, endpoint.status) == (7, 2, "unknown")
    assert endpoint.latency == Histogram(7, 0.7, ((0.1, 3), (0.2, 4)))
    assert parsed.pools["app"].endpoints["unix:/run/app.sock"].requests == 0


def test_nothing_can_be_changed_by_who_reads_it() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        statistics().snapshot = 5  # type: ignore[misc]  # the point of this test


def test_a_counter_that_the_engine_does_not_send_is_a_bug_and_not_zero() -> None:
    gateway = Gateway(listen="127.0.0.1:0", pools={"app": Pool(["10.0.0.1:80"])})
    engine = FakeEngine(encode(snapshot(gateway, 1, {})))
    value = json.loads(engine.statistics())
    engine.shutdown()
    del value["records"]["dropped"]
    with pytest.raises(TypeError):
        Statistics.parse(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("share", "expected"),
    # The bucket below 32 us starts at 0; the one below 40 us at 32; the one below 1.024 ms at 0.896.
    [(0.0, 0.0), (0.05, 16e-6), (0.1, 32e-6), (0.5, 40e-6), (0.75, 960e-6), (1.0, 1024e-6)],
)
def test_a_quantile_is_spread_evenly_over_its_bucket(share: float, expected: float) -> None:
    latency = Histogram(10, 0.0, ((32e-6, 1), (40e-6, 4), (1024e-6, 5)))
    assert latency.quantile(share) == pytest.approx(expected)


def test_without_answers_there_is_no_latency() -> None:
    nothing = Histogram(0, 0.0, ())
    assert (nothing.quantile(0.5), nothing.mean) == (None, None)


def test_the_mean_is_exact() -> None:
    assert Histogram(4, 0.5, ((0.2, 4),)).mean == 0.125


def test_every_status_that_an_endpoint_may_have_is_a_word_of_the_type() -> None:
    assert EndpointStatistics.__annotations__["status"].__args__ == (
        "unknown", "healthy", "suspect", "down", "ejected", "draining", "disabled", "unresolved",
    )  # fmt: skip
