"""The text of a `balance` key: Python's grammar, of which only what is meant is understood."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay import balance
from forebay import endpoint as e
from forebay.balance import POLICIES, Expression, Policy, parse, parse_expression
from forebay.balance.elsewhere import ELSEWHERE
from forebay.types import Malformed


def fault(text: str) -> str:
    with pytest.raises(Malformed) as caught:
        parse(text)
    return str(caught.value)


@pytest.mark.parametrize("text", ["random", "random()", " random ", "random( )", "\n random \n", "(random)"])
def test_a_policy_is_a_name_or_a_call_without_arguments(text: str) -> None:
    assert parse(text) == balance.random()


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("least((inflight + 1) * service_time / weight)", balance.least((e.inflight + 1) * e.service_time / e.weight)),
        ("least(\n  inflight,\n\tchoices=2,\n  ties='rotate',\n)", balance.least(e.inflight, choices=2, ties="rotate")),
        ("most(reported('tokens'))", balance.most(e.reported("tokens"))),
        ("least_connections(choices=3)", balance.least_connections(choices=3)),
        ('power_of_two(latency, ties="rotate")', balance.power_of_two(e.latency, ties="rotate")),
        ("first_available(limit=10)", balance.first_available(limit=10)),
        ("consistent_hash(key='header:X-User', bounded_load=1.25)", balance.consistent_hash(key="header:x-user", bounded_load=1.25)),
        (
            "consistent_hash(key='cookie:Id', table='ring', fallback=consistent_hash(fallback=least(inflight)))",
            balance.consistent_hash(key="cookie:Id", table="ring", fallback=balance.consistent_hash(fallback=balance.least(e.inflight))),
        ),
        ("consistent_hash(fallback=random)", balance.consistent_hash(fallback=balance.random)),
        ("python:shop.routing:by_tenant", balance.python("shop.routing:by_tenant")),
        (
            "python('shop.routing:f', budget='2ms', fallback=random)",
            balance.python("shop.routing:f", budget=0.002, fallback=balance.random),
        ),
    ],
)
def test_a_call_makes_what_it_makes_in_python(text: str, policy: Policy) -> None:
    assert parse(text) == policy
    assert parse(text).spec == policy.spec
    assert parse(str(policy)) == policy


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("randm", 'unknown policy "randm" (column 1); did you mean "random"?'),
        ("  weighted_robin()", 'unknown policy "weighted_robin" (column 3); did you mean "weighted_round_robin"?'),
        ("xyz", 'unknown policy "xyz" (column 1); `forebay policies` lists them'),
        ("least((inflght + 1) / weight)", 'unknown field "inflght" (column 8); did you mean "inflight"?'),
        ("least(\n  1 + wieght)", 'unknown field "wieght" (column 14); did you mean "weight"?'),
        ("least(age == 'ä')", "a string is no number (column 14); an expression is made of numbers and of an endpoint's fields"),
        ("least(reported('ä'))", "'ä' is no name of a reported metric (column 7); write up to 64 letters, digits and _ . : / -, in quotes"),
        ("consistent_hash(key='query:ä', fallback=rndom)", 'unknown policy "rndom" (column 41); did you mean "random"?'),
        ("least(mix(age, 1))", 'unknown function "mix" (column 7); did you mean "min"?'),
        ("least(min)", '"min" is a function (column 7); write min(...)'),
        ("least(random + 1)", '"random" is a policy, where a number is wanted (column 7); the fields are ' + ", ".join(balance.FIELDS)),
        ("consistent_hash(fallback=rndom)", 'unknown policy "rndom" (column 26); did you mean "random"?'),
        ("consistent_hash(fallback=age)", '"age" is a score and no policy (column 26); write least(age)'),
        ("inflight + 1", '"inflight + 1" is a score and no policy (column 1); write least(inflight + 1)'),
        ("least(1 / 0)", '"1 / 0" is no finite number: division by zero (column 7); write one that is'),
        ("least(age * log(0))", 'the constant "log(0)" is -inf (column 13); write one that is finite'),
        ("least(age * 1e999)", "the constant inf is not finite (column 13); write a number up to 1.7e308"),
        ("least(age, 2)", "least: too many positional arguments (column 1); write least(score, choices=None, ties='random')"),
        ("least", "least needs arguments (column 1); write least(score, choices=None, ties='random')"),
        ("least(age, chioces=2)", 'least takes no "chioces" (column 12); did you mean "choices"?'),
        ("least(age, choices=2, choices=3)", '"choices" is given twice (column 23); leave one out'),
        ("least(age, **x)", "** is not understood here (column 12); write name=value"),
        ("least(age, choices=2.5)", "choices must be a whole number, not 2.5 (column 20)"),
        ("least(age, ties='odd', choices=0)", '"odd" is no way to settle ties (column 17); write random or rotate'),
        ("least(age, ties=rotate)", "\"rotate\" has no quotes (column 17); write ties='rotate'"),
        ("least('age')", "a string is no number (column 7); an expression is made of numbers and of an endpoint's fields"),
        ("least(queue)", f"unknown field \"queue\" (column 7); the fields are {', '.join(balance.FIELDS)}, and reported('name')"),
        ("least(clamp(age, 1))", "clamp: missing a required argument: 'high' (column 7); write clamp(x, low, high)"),
        ("least(max())", "max: missing a required argument: 'first' (column 7); write max(first, ...)"),
        ("consistent_hash(table='rnig')", '"rnig" is no table to hash with (column 23); did you mean "ring"?'),
        ("consistent_hash(table='ring', key='heder:x')", '"heder:x" is no key to hash by (column 35); did you mean "header:x"?'),
        ("consistent_hash(key='header')", '"header" is no key to hash by (column 21); write header:NAME'),
        ("consistent_hash(key='pth')", '"pth" is no key to hash by (column 21); did you mean "path"?'),
        ("consistent_hash(key=path)", "\"path\" has no quotes (column 21); write key='path'"),
        ("python('shop:f', budget='9s')", "budget must be longer than 0 and at most 1s (column 25); write 0.001, or '1ms'"),
        ("least(age, choices=0)", "choices must lie between 1 and 64, not 0 (column 20)"),
        ("least(True + age)", "True is no number (column 7); write 1 or 0"),
        ("least(1 < 2)", "True is no number (column 7); write 1 or 0"),
        ("least(e.inflight)", '"e.inflight" is written without the part before the dot here (column 7); write "inflight"'),
        ("random(1)", "random: too many positional arguments (column 1); write random"),
        ("python:x", '"x" names no callable; write "package.module:function"'),
        ("python: local:0", '"local:0" is local: it exists only in the process that made it; name a function of a module'),
        ("least(age", '"least(age" cannot be read: \'(\' was never closed (column 6); write a policy\'s name or a call'),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_column_and_a_remedy(text: str, told: str) -> None:
    assert fault(text) == told


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("least-connections", "least_connections"),
        (" round robin", "round_robin"),
        ("Random", "random"),
        ("leastconn", "least_connections"),
        ("LEAST_CONN", "least_connections"),
        ("ip_hash", "consistent_hash"),
        ("ring-hash", "consistent_hash(table='ring')"),
        ("sed()", "shortest_expected_delay"),
    ],
)
def test_a_name_of_other_spelling_or_of_another_balancer_is_told_as_the_policy_meant(text: str, policy: str) -> None:
    assert fault(text).endswith(f'; did you mean "{policy}"?')
    assert f'unknown policy "{text.strip().removesuffix("()")}" (column ' in fault(text)


def test_every_policy_that_a_name_of_another_balancer_stands_for_may_be_written() -> None:
    for name, policy in ELSEWHERE.items():
        assert name not in POLICIES
        assert parse(policy).name == policy.partition("(")[0]


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("consistent_hash(key=header:x-user)", "'header:x-user'"),
        ("consistent_hash(table='ring', key = cookie:sid)", "'cookie:sid'"),
        ("python(shop.routing:f)", "'shop.routing:f'"),
    ],
)
def test_a_text_without_quotes_is_told_with_them(text: str, quoted: str) -> None:
    assert fault(text).endswith(f"; put quotes around it: {quoted}")


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("least(age ** 2)", "write x * x for a square"),
        ("least(age // 2)", "the operators are"),
        ("least(~age)", "the operators are"),
        ("least(age and 1)", "where(condition, a, b)"),
        ("least(not age)", "where(condition, a, b)"),
        ("least(1 if age else 2)", "where(condition, a, b)"),
        ("least(1 < age < 2)", "(a < b) * (b < c)"),
    ],
)
def test_what_python_has_and_an_expression_has_not_is_told_in_other_words(text: str, remedy: str) -> None:
    assert remedy in fault(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "1", "None", "'random'", "random.x", "random()()", "a + b", "lambda: 1", "import os", "(", "random;", "x\0", "f'{x}'",
     "(" * 500, "[random]", "{1: 2}", "(x := 1)", "least(*age)", "__import__('os')", "least(age)[0]", "b'x'", "1j", "...", "'\\d'",
     "yield", "#", "1if 1else 2"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    assert fault(text)


@pytest.mark.parametrize(
    "text",
    ["-" * 3000 + "age", "(" * 90 + "age" + ")" * 90 + " ** 2", "least(" * 40 + "age" + ")" * 40, " + ".join(["age"] * 1000), "x" * 10_000,
     f"least(min({', '.join(['age'] * 300)}))", "age" + " < age" * 500],
)  # fmt: skip
def test_a_text_of_any_size_is_refused_in_words(text: str) -> None:
    assert len(fault(text)) < 400


@given(st.text(max_size=40))
def test_any_text_is_a_policy_or_malformed(text: str) -> None:
    for read in (parse, parse_expression):
        with suppress(Malformed):
            assert isinstance(read(text), Policy | Expression)


@given(data=st.data())
def test_any_score_survives_as_the_text_of_its_policy(data: st.DataObject, expression_texts: st.SearchStrategy[str]) -> None:
    try:
        score = parse_expression(data.draw(expression_texts))
    except Malformed:
        return
    policy = balance.least(score, choices=data.draw(st.sampled_from([None, 2])))
    assert parse(str(policy)) == policy


def test_every_name_of_the_catalogue_is_read_as_itself() -> None:
    for name in set(POLICIES) - {"least", "most", "python"}:
        assert str(parse(name)) == name
        assert parse(name).name == name
