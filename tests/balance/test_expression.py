"""Expressions: what Python's operators build, how it prints, and what it is worth."""

import copy
import json
import math
import operator
import pickle
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from forebay import balance
from forebay import endpoint as e
from forebay.balance import DEEPEST, FIELDS, FUNCTIONS, LARGEST, Expression, parse_expression
from forebay.balance.expression import OPERATIONS, Field, from_wire, operand
from forebay.types import Malformed

NAMES: dict[str, Any] = {**{name: Field(name) for name in FIELDS}, **FUNCTIONS}
"""What the names of an expression's text mean in Python."""


def built(text: str) -> Expression:
    """What Python itself makes of a text, with the public fields and functions. Raises Malformed where it makes no expression."""
    try:
        return operand(eval(text, {"__builtins__": {}}, NAMES))  # noqa: S307 - texts of this test's own making
    except (ZeroDivisionError, OverflowError) as error:
        raise Malformed(str(error)) from None


def made(make: Callable[[], Expression]) -> Expression | None:
    try:
        return make()
    except Malformed:
        return None


@given(data=st.data())
def test_the_text_and_pythons_operators_make_the_very_same_tree(data: st.DataObject, expression_texts: st.SearchStrategy[str]) -> None:
    text = data.draw(expression_texts)
    by_python, by_text = made(lambda: built(text)), made(lambda: parse_expression(text))
    assert (by_python is None) == (by_text is None)
    assert by_python is None or by_python.same(by_text)


@given(data=st.data())
def test_an_expression_survives_printing_its_wire_form_and_pickling(data: st.DataObject, expression_texts: st.SearchStrategy[str]) -> None:
    expression = made(lambda: parse_expression(data.draw(expression_texts)))
    assume(expression is not None)
    assert expression is not None
    copies = [
        parse_expression(repr(expression)),
        built(repr(expression)),
        from_wire(json.loads(json.dumps(expression.wire()))),
        pickle.loads(pickle.dumps(expression)),  # noqa: S301 - made here
        copy.deepcopy(expression),
    ]
    for each in copies:
        assert each.same(expression)
        assert hash(each) == hash(expression)
        assert repr(each) == repr(expression)
        assert (each.nodes, each.depth) == (expression.nodes, expression.depth)
        assert {expression: "known"}[each] == "known"


@given(data=st.data(), values=st.lists(st.floats(), min_size=len(FIELDS) + 2, max_size=len(FIELDS) + 2))
def test_a_value_is_what_python_computes(data: st.DataObject, values: list[float], expression_texts: st.SearchStrategy[str]) -> None:
    expression = made(lambda: parse_expression(data.draw(expression_texts)))
    assume(expression is not None)
    assert expression is not None
    fields = dict(zip([*FIELDS, "reported:kv_cache", "reported:a.b/c"], values, strict=True))
    value = expression.value(fields)
    assert isinstance(value, float)
    assert value == computed(expression.wire(), fields) or math.isnan(value)


def computed(wire: Any, fields: dict[str, float]) -> float:
    """The value of a wire form by Python's own operators, where they do not raise."""
    if isinstance(wire, str):
        return fields[wire]
    if not isinstance(wire, list):
        return float(wire)
    name, *rest = wire
    if name == "reported":
        return fields[f"reported:{rest[0]}"]
    values = [computed(each, fields) for each in rest]
    plain: dict[str, Callable[..., object]] = {
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "neg": operator.neg,
        "<": operator.lt,
        ">": operator.gt,
    }
    if name in plain:
        return float(cast("float", plain[name](*values)))
    return OPERATIONS[name][1](*values)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ((e.inflight + 1) * e.service_time / e.weight, "(inflight + 1) * service_time / weight"),
        (e.age - (e.latency - e.weight), "age - (latency - weight)"),
        (e.age - e.latency - e.weight, "age - latency - weight"),
        (e.age / (e.latency * e.weight), "age / (latency * weight)"),
        (-(e.age + 1) * -e.age, "-(age + 1) * -age"),
        (operator.neg(-e.age), "--age"),
        (+e.age, "age"),
        ((e.age < 1) * (operator.lt(1, e.latency)), "(age < 1) * (latency > 1)"),
        ((e.age == 1) != e.latency, "(age == 1) != latency"),
        (balance.min(e.age, 1, e.latency), "min(age, 1, latency)"),
        (balance.min(e.age, balance.min(1, e.latency)), "min(age, min(1, latency))"),
        (balance.max(balance.min(e.age, 1), 2), "max(min(age, 1), 2)"),
        (balance.where(e.error_rate > 0.5, 1e9, balance.clamp(e.age, 0, 60)), "where(error_rate > 0.5, 1000000000, clamp(age, 0, 60))"),
        (balance.log(balance.exp(e.reported("kv_cache"))), "log(exp(reported('kv_cache')))"),
        (e.age * (2 * 3 + 1) - -1, "age * 7 - -1"),
        (e.age * -0.0, "age * -0.0"),
        (e.age * 1e22, "age * 1e+22"),
        (balance.min(1, 2) + e.age, "1 + age"),
        (1 / e.age - 2 + (3 - e.age) + (1 + e.age), "1 / age - 2 + (3 - age) + (1 + age)"),
    ],
)
def test_an_expression_prints_as_the_python_that_makes_it_with_no_parentheses_to_spare(expression: Expression, text: str) -> None:
    assert repr(expression) == str(expression) == text


def test_a_wire_form_is_the_tree_in_prefix_form() -> None:
    assert ((e.inflight + 1) * -e.weight).wire() == ["*", ["+", "inflight", 1.0], ["neg", "weight"]]
    assert balance.max(e.age, 1, 2).wire() == ["max", ["max", "age", 1.0], 2.0]
    assert e.reported("x").wire() == ["reported", "x"]


@pytest.mark.parametrize(
    "wire", [None, True, [], ["+"], ["+", 1], ["+", 1, 2, 3], ["reported"], ["reported", 1], ["pow", 1, 2], "x", [["+"], 1, 2], {}, "1"]
)
def test_what_is_no_wire_form_is_refused(wire: object) -> None:
    with pytest.raises(Malformed):
        from_wire(wire)


def test_a_wire_form_of_any_depth_is_refused_in_words() -> None:
    wire: Any = "age"
    for _ in range(100_000):
        wire = ["neg", wire]
    with pytest.raises(Malformed, match="more than 16 deep"):
        from_wire(wire)


def test_size_and_depth_are_bounded() -> None:
    deep: Expression = e.age
    for _ in range(DEEPEST - 1):
        deep = -deep
    assert deep.depth == DEEPEST
    with pytest.raises(Malformed, match="17 deep, more than 16"):
        operator.neg(deep)
    wide: Expression = e.age
    for _ in range(5):
        wide = wide + wide
    assert wide.nodes == LARGEST - 1
    assert (-wide).nodes == LARGEST
    with pytest.raises(Malformed, match="65 nodes, more than 64"):
        wide + 1


def test_an_expression_is_a_key_like_any_other_value() -> None:
    known = {e.age + 1: "a", e.age + 2: "b", e.age == e.age: "c"}
    assert known[e.age + 1] == "a"
    assert known[e.age == e.age] == "c"
    assert len({e.age, e.age, e.weight}) == 2
    assert not e.age.same(e.weight)
    assert not e.age.same("age")
    assert not operand(0.0).same(operand(-0.0))


@pytest.mark.parametrize("use", [lambda: max(e.age, 2), lambda: min(e.age, e.weight), lambda: abs(e.age)])
def test_what_python_computes_at_once_is_told_with_the_function_to_use_instead(use: Callable[[], object]) -> None:
    with pytest.raises(Malformed, match=r"balance\.max\("):
        use()


@pytest.mark.parametrize(
    "use",
    [
        lambda: bool(e.age),
        lambda: e.age and 1,
        lambda: not e.age,
        lambda: 1 < e.age < 2,
        lambda: e.age < e.age < e.age,
        lambda: bool(e.age == 1),
        lambda: float(e.age),
        lambda: math.exp(e.age),
        lambda: abs(e.age),
        lambda: e.age**2,
        lambda: 2**e.age,
        lambda: e.age // 2,
        lambda: 7 % e.age,
        lambda: e.age & e.weight,
        lambda: True | e.age,
        lambda: operator.add(e.age, "1"),
        lambda: operator.mul([], e.age),
        lambda: e.age + True,
        lambda: operator.lt(e.age, []),
        lambda: e.age + math.inf,
        lambda: e.age * math.nan,
        lambda: e.age + 10**400,
        lambda: balance.log(0),
        lambda: balance.min(1e308, 1) * 1e308 * balance.max(1e308, 1),
        lambda: balance.min(e.age),
        lambda: balance.where(1 > 2, e.age, 1),  # noqa: PLR0133 - Python compares these itself
        lambda: balance.where(e.age == "x", e.age, 1),
        lambda: e.reported(""),
        lambda: e.reported("a b"),
        lambda: e.reported("x" * 65),
        lambda: e.reported(1),  # type: ignore[arg-type]
    ],
)
def test_what_an_expression_cannot_say_is_refused_with_a_remedy(use: Callable[[], object]) -> None:
    with pytest.raises(Malformed) as caught:
        use()
    assert caught.value.hint
    assert str(caught.value).endswith(caught.value.hint)


def test_an_unknown_field_is_told_with_the_nearest() -> None:
    with pytest.raises(AttributeError, match=r'no field "inflght"; did you mean "inflight"\?'):
        e.inflght  # noqa: B018 - the access is the case
    assert not hasattr(e, "__wrapped__")
    assert set(FIELDS) < set(dir(e))
    assert pickle.loads(pickle.dumps(e)) is e  # noqa: S301 - made here


def test_an_expression_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        e.age.name = "x"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        (e.age + 1).operands = ()  # type: ignore[attr-defined]


def test_a_field_that_is_missing_is_named() -> None:
    with pytest.raises(KeyError, match="reported:x"):
        e.reported("x").value({"age": 1.0})
    assert (e.reported("x") + e.age).fields() == {"reported:x", "age"}
