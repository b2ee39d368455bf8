"""Draws: every law has its mean and its quantiles, and a seed is a result."""

import math
from itertools import count
from statistics import NormalDist

import pytest

from forebay.simulate import Deterministic, Distribution, Exponential, LogNormal, Mixture, Pareto
from forebay.simulate.draws import normal, stream
from forebay.types import Malformed

LAWS: dict[str, Distribution] = {
    "deterministic": Deterministic(2.0),
    "exponential": Exponential(2.0),
    "log-normal": LogNormal(2.0, 0.5),
    "pareto": Pareto(2.0, 3.5),
    "mixture": Mixture(((0.9, Deterministic(0.5)), (0.1, Exponential(15.5)))),
}


def test_a_stream_is_the_same_forever() -> None:
    # What random.Random(text) gives is promised by Python; these numbers hold that promise to its word.
    assert [stream(1, "work")() for _ in range(2)] == [0.4094335136438353] * 2
    assert stream(2, "work")() != stream(1, "work")() != stream(1, "arrivals")()


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_a_law_has_its_mean(law: Distribution) -> None:
    uniform = stream(1, "test")
    drawn = [law.draw(uniform) for _ in range(40_000)]
    assert law.mean == pytest.approx(2.0)
    assert sum(drawn) / len(drawn) == pytest.approx(2.0, rel=0.05)
    assert min(drawn) >= 0.0


def at(law: Distribution, uniform: float) -> float:
    return law.draw(lambda: uniform)


def test_values_are_quantiles_of_the_draw() -> None:
    # Inverse transform of 1 - u, so that u = 0 gives a finite value.
    assert at(Exponential(2.0), 0.5) == pytest.approx(2.0 * math.log(2))
    assert at(Pareto(2.0, 1.5), 0.75) == pytest.approx(2.0 / 3.0 * 0.25 ** (-1 / 1.5))
    assert at(LogNormal(2.0, 0.5), 0.5) == pytest.approx(2.0 * math.exp(-0.125))
    assert at(LogNormal(1.0, 1.0), 0.0) < math.inf


def test_a_mixture_takes_its_parts_in_their_proportion() -> None:
    law = Mixture(((0.9, Deterministic(1.0)), (0.1, Deterministic(2.0))))
    draws = count()
    values = [law.draw(lambda: next(draws) % 1000 / 1000) for _ in range(1000)]
    assert values.count(2.0) == 100


@pytest.mark.parametrize("probability", [1e-15, 1e-6, 0.01, 0.3, 0.5, 0.7, 0.99, 1 - 1e-9])
def test_the_normal_quantile_is_right(probability: float) -> None:
    assert normal(probability) == pytest.approx(NormalDist().inv_cdf(probability), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Exponential(0.0), "above 0"),
        (lambda: Deterministic(math.inf), "finite"),
        (lambda: LogNormal(1.0, -1.0), "sigma"),
        (lambda: Pareto(1.0, 1.0), "a mean only above 1"),
        (lambda: Mixture(((0.5, Deterministic(1.0)),)), "add up to 1"),
    ],
)
def test_a_law_that_makes_no_sense_is_refused(make: type, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        make()
