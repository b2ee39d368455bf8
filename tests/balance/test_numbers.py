"""The arithmetic of expressions: defined everywhere, and fdlibm's to the last bit."""

import math
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.balance import numbers

ROOT = Path(__file__).parents[2]
ANY = st.floats()


@given(ANY, ANY)
def test_a_quotient_is_pythons_wherever_python_has_one(a: float, b: float) -> None:
    quotient = numbers.div(a, b)
    if b != 0:
        assert quotient == a / b or (math.isnan(quotient) and math.isnan(a / b))
    elif a == 0 or math.isnan(a):
        assert math.isnan(quotient)
    else:
        assert math.isinf(quotient)
        assert math.copysign(1, quotient) == math.copysign(1, a) * math.copysign(1, b)


@pytest.mark.parametrize(
    ("x", "bits"),
    [
        # fdlibm is one bit above e here, where a correctly rounded exp is not: it tells the one algorithm from the other.
        (1.0, "0x1.5bf0a8b14576ap+1"),
        (0.0, "0x1.0000000000000p+0"),
        (0.36, "0x1.6eeead2fee760p+0"),
        (0.5, "0x1.a61298e1e069cp+0"),
        (-1.0, "0x1.78b56362cef38p-2"),
        (1e-9, "0x1.000000044b830p+0"),
        (709.0, "0x1.d422d2be5dc9bp+1022"),
        (-708.5, "0x0.e6cf6d08897acp-1022"),
        (-740.0, "0x0.0000000000055p-1022"),
    ],
)
def test_exp_gives_these_bits(x: float, bits: str) -> None:
    assert numbers.exp(x).hex() == bits


@pytest.mark.parametrize(
    ("x", "bits"),
    [
        (1.0, "0x0.0p+0"),
        (2.0, "0x1.62e42fefa39efp-1"),
        (0.5, "-0x1.62e42fefa39efp-1"),
        (10.0, "0x1.26bb1bbb55516p+1"),
        (0.9999999, "-0x1.ad7f2b1049b9fp-24"),
        (1.0000001, "0x1.ad7f2847b6492p-24"),
        (1e-300, "-0x1.5963447f87fb5p+9"),
        (5e-324, "-0x1.74385446d71c3p+9"),
        (1.7976931348623157e308, "0x1.62e42fefa39efp+9"),
    ],
)
def test_log_gives_these_bits(x: float, bits: str) -> None:
    assert numbers.log(x).hex() == bits


@given(st.one_of(st.floats(-745, 709.7), st.floats(-1, 1), st.floats(-1e-7, 1e-7)))
def test_exp_is_within_one_place_of_the_systems(x: float) -> None:
    assert abs(numbers.exp(x) - math.exp(x)) <= math.ulp(math.exp(x))


@given(st.one_of(st.floats(5e-324, 1.7e308), st.floats(0.5, 2), st.floats(1 - 1e-6, 1 + 1e-6)))
def test_log_is_within_one_place_of_the_systems(x: float) -> None:
    assert abs(numbers.log(x) - math.log(x)) <= math.ulp(math.log(x))


def test_exp_and_log_are_defined_where_python_raises() -> None:
    assert numbers.exp(710) == math.inf
    assert numbers.exp(math.inf) == math.inf
    assert numbers.exp(-746) == numbers.exp(-math.inf) == 0
    assert math.isnan(numbers.exp(math.nan))
    assert numbers.log(0.0) == numbers.log(-0.0) == -math.inf
    assert numbers.log(math.inf) == math.inf
    assert math.isnan(numbers.log(-1.0))
    assert math.isnan(numbers.log(-math.inf))
    assert math.isnan(numbers.log(math.nan))


def test_nan_loses_on_the_left_and_stands_on_the_right() -> None:
    assert numbers.least(math.nan, 1.0) == numbers.most(math.nan, 1.0) == 1.0
    assert math.isnan(numbers.least(1.0, math.nan))
    assert math.isnan(numbers.most(1.0, math.nan))
    assert math.copysign(1, numbers.least(0.0, -0.0)) == math.copysign(1, numbers.most(0.0, -0.0)) == -1


@pytest.mark.parametrize(
    ("condition", "taken"), [(1.0, "a"), (-0.5, "a"), (math.inf, "a"), (5e-324, "a"), (0.0, "b"), (-0.0, "b"), (math.nan, "b")]
)
def test_where_takes_the_first_for_any_number_but_zero(condition: float, taken: str) -> None:
    assert numbers.where(condition, 1.0, 2.0) == {"a": 1.0, "b": 2.0}[taken]


def test_exp_and_log_pass_the_engines_own_vectors_which_are_fdlibms() -> None:
    text = re.sub(r"\bNAN\b", "0x7FF8_0000_0000_0000", (ROOT / "engine/src/balance/number.rs").read_text(encoding="utf-8"))
    body = re.search(r"const VECTORS: .*?= \[(.*?)\n    \];", text, re.DOTALL)
    assert body
    vectors = [[int(word.strip(), 0) for word in row.split(",")] for row in re.findall(r"\((.*?)\)", body[1])]
    assert len(vectors) > 20
    for x, exponential, logarithm in vectors:
        number = from_bits(x)
        assert (bits(numbers.exp(number)), bits(numbers.log(number))) == (exponential, logarithm), number.hex()


def from_bits(word: int) -> float:
    return float(struct.unpack(">d", word.to_bytes(8))[0])


def bits(number: float) -> int:
    return 0x7FF8 << 48 if math.isnan(number) else int.from_bytes(struct.pack(">d", number))
