"""What is repeated when: each row of the table, and what it never does."""

import re
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay import _engine
from forebay.balance.reference import Occasion
from forebay.failover.budget import Bucket, hedges, most_attempts, retries
from forebay.failover.repeat import IDEMPOTENT, Means, NotRepeated, Outcome, Request, refused, table
from forebay.failover.slow_start import drawn, eligible, share

SOURCE = Path(__file__).parents[2] / "engine/src"
REQUESTS = st.builds(Request, st.sampled_from([*IDEMPOTENT, "POST", "PATCH"]), st.booleans(), st.booleans(), st.booleans())
MEANS = st.builds(Means, st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans())


def test_the_table_of_what_is_repeated() -> None:
    assert [tuple(asdict(row).values()) for row in table()] == [
        ("unsent", None, None, None, None),
        ("cut_off", None, None, "not_idempotent", "body_too_large"),
        ("status", None, None, "not_idempotent", "body_too_large"),
        ("timed_out", "deadline", "deadline", "deadline", "deadline"),
        ("broken_off", "response_begun", "response_begun", "not_idempotent", "response_begun"),
        ("client_left", "client_left", "client_left", "client_left", "client_left"),
    ]


@given(st.sampled_from(Outcome), REQUESTS, MEANS)
def test_what_may_have_run_and_may_not_run_twice_is_never_repeated(outcome: Outcome, request: Request, means: Means) -> None:
    if refused(outcome, request, means) is None:
        assert outcome is Outcome.UNSENT or request.method in IDEMPOTENT or (request.key and request.trusted)
        assert means == Means()
        assert outcome is Outcome.UNSENT or request.kept


@pytest.mark.parametrize(
    ("means", "why"),
    [
        (Means(untouched=False), NotRepeated.RESPONSE_BEGUN),
        (Means(time=False), NotRepeated.DEADLINE),
        (Means(attempts=False), NotRepeated.ATTEMPTS),
        (Means(endpoints=False), NotRepeated.NO_ENDPOINT),
        (Means(budget=False), NotRepeated.BUDGET),
        (Means(budget=False, attempts=False), NotRepeated.ATTEMPTS),
    ],
)
def test_what_is_lacking_is_named(means: Means, why: NotRepeated) -> None:
    assert refused(Outcome.UNSENT, Request("POST"), means) is why


def test_the_methods_that_may_run_twice_are_the_engines() -> None:
    found = re.search(r"fn is_idempotent.*?matches!\(self\.method\(\), (.*?)\)", (SOURCE / "message.rs").read_text(), re.DOTALL)
    assert found
    assert set(re.findall(r'b"(\w+)"', found[1])) == IDEMPOTENT


def test_a_bucket_is_full_at_first_and_fills_by_requests_and_seconds() -> None:
    bucket, flow = Bucket(), retries(0.2, 16)
    assert sum(bucket.take(flow, 0, 0) for _ in range(200)) == 100
    assert sum(bucket.take(flow, 50, 0) for _ in range(200)) == 10
    assert sum(bucket.take(flow, 50, 2000) for _ in range(200)) == 6
    busy = Bucket()
    assert sum(busy.take(retries(0.2, 700), 0, 0) for _ in range(1000)) == 700


def test_hedges_stay_within_their_share_of_the_requests() -> None:
    bucket = Bucket()
    assert 200 <= sum(bucket.take(hedges(0.02), request, request) for request in range(10_000)) <= 210


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 50), st.integers(0, 30)), max_size=100), st.floats(0, 1))
def test_no_more_is_granted_than_the_bucket_its_share_and_its_seconds(steps: list[tuple[int, int, int]], budget: float) -> None:
    bucket, requests, now, granted = Bucket(), 0, 0, 0
    for more, passed, asked in steps:
        requests, now = requests + more, now + passed
        granted += sum(bucket.take(retries(budget, 0), requests, now) for _ in range(asked))
    assert granted + requests <= most_attempts(requests, now / 1000, budget) + 1e-6


def test_all_servers_failing_at_five_hundred_requests_a_second_cost_a_fifth_more_and_the_bucket() -> None:
    bucket, attempts = Bucket(), 0
    for request in range(500 * 60):
        attempts += 1
        attempts += sum(bucket.take(retries(0.2, 10), request, request * 2) for _ in range(2))
    assert attempts <= 1.2 * 500 * 60 + 100 + 3 * 60


@given(
    st.floats(0, 1),
    st.sampled_from(["repetitions", "hedges"]),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 300), st.integers(0, 2000), st.integers(1, 40)), max_size=30),
)
def test_the_engine_grants_what_this_bucket_grants(budget: float, what: str, steps: list[tuple[int, int, int, int]]) -> None:
    bucket, requests, now, asks, granted = Bucket(), 0, 0, [], []
    for more, inflight, passed, often in steps:
        requests, now = requests + more, now + passed
        asks += [(requests, inflight, now)] * often
        flow = hedges(budget) if what == "hedges" else retries(budget, inflight)
        granted += [bucket.take(flow, requests, now) for _ in range(often)]
    assert _engine.budget(budget, what == "hedges", asks) == granted


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**40), st.integers(0, 9999), st.integers(0, 20_000), st.integers(1, 10_000))
def test_the_engine_lets_in_whom_slow_start_lets_in_here(seed: int, turn: int, index: int, age: int, window: int) -> None:
    assert _engine.slow_start(seed, turn, index, age, window) == (drawn(Occasion(seed, turn), index) < share(age, window))


@pytest.mark.parametrize(("age", "part"), [(0, 0.1), (0.5, 0.1), (2.5, 0.25), (7.5, 0.75), (10, 1.0), (60, 1.0)])
def test_the_share_of_a_new_endpoint_grows_with_its_age_from_a_tenth(age: float, part: float) -> None:
    assert share(age, 10) == part
    assert share(age, 0) == 1.0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 20), st.floats(0, 1, exclude_max=True)), max_size=6), st.floats(0, 10))
def test_slow_start_never_leaves_a_pool_empty_and_lets_nobody_else_in(each: list[tuple[bool, float, float]], window: float) -> None:
    mask, ages, draws = (tuple(part) for part in zip(*each, strict=True)) if each else ((), (), ())
    left = eligible(mask, ages, window, draws)
    assert any(left) == any(mask)
    assert all(may or not let for may, let in zip(mask, left, strict=True))
    assert all(let for may, age, let in zip(mask, ages, left, strict=True) if may and age >= window)
