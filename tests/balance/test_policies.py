"""The `balance` key, read with Python's own grammar."""

import re
from pathlib import Path

import pytest

from forebay.balance import DEFAULT, POLICIES, parse
from forebay.types import Malformed

SNAPSHOT = Path(__file__).parents[2] / "engine/src/snapshot.rs"


@pytest.mark.parametrize("text", ["random", "random()", " random ", "random( )"])
def test_a_policy_is_a_name_or_a_call_without_arguments(text: str) -> None:
    assert parse(text).name == "random"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("randm", 'unknown policy "randm"; did you mean "random"?'),
        ("weighted_robin", 'unknown policy "weighted_robin"; did you mean "weighted_round_robin"?'),
        ("xyz", 'unknown policy "xyz"; write one of weighted_round_robin, weighted_random, random'),
        ("round_robin()", 'unknown policy "round_robin"; did you mean "weighted_round_robin"?'),
        ("random(1)", 'the policy "random" takes no arguments; write "random"'),
        ("random(seed=1)", 'the policy "random" takes no arguments; write "random"'),
        ("random(**x)", 'the policy "random" takes no arguments; write "random"'),
    ],
)
def test_an_unknown_policy_or_argument_is_told(text: str, fault: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(text)
    assert f"{caught.value.message}; {caught.value.hint}" == fault


@pytest.mark.parametrize(
    "text", ["", "1", "random.x", "random()()", "a + b", "lambda: 1", "import os", "(", "random;", "x\0", "f'{x}'", "(" * 500]
)
def test_anything_else_is_no_name_of_a_policy(text: str) -> None:
    with pytest.raises(Malformed, match="no name of a policy"):
        parse(text)


def test_the_catalogue_is_what_the_engine_knows() -> None:
    body = re.search(r"pub enum PolicySpec \{(.*?)\n\}", SNAPSHOT.read_text(encoding="utf-8"), re.DOTALL)
    assert body
    variants = re.findall(r"^    (\w+),", body[1], re.MULTILINE)
    assert [re.sub(r"(?<!^)(?=[A-Z])", "_", variant).lower() for variant in variants] == [policy.spec for policy in POLICIES.values()]


def test_every_policy_has_a_meaning_and_the_default_is_one() -> None:
    assert all(policy.meaning.endswith(".") for policy in POLICIES.values())
    assert DEFAULT in POLICIES
