"""Lists of policies, as the command line takes them."""

import pytest

from forebay.simulate import Oracle
from forebay.simulate.names import factories, split
from forebay.types import Malformed


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("random, round_robin", ["random", "round_robin"]),
        ("least(max(inflight, 1), choices=2),random", ["least(max(inflight, 1), choices=2)", "random"]),
        ("consistent_hash(key='header:a,b'), oracle", ["consistent_hash(key='header:a,b')", "oracle"]),
        ("least(reported('a(b'), ties=\"rotate\"), random", ["least(reported('a(b'), ties=\"rotate\")", "random"]),
        (" , ,", []),
    ],
)
def test_commas_inside_of_brackets_and_quotes_part_nothing(text: str, parts: list[str]) -> None:
    assert split(text) == parts


def test_the_oracle_is_named_beside_policies() -> None:
    assert list(factories("oracle, round_robin")) == ["oracle", "round_robin"]
    assert factories("oracle")["oracle"] is Oracle


@pytest.mark.parametrize(
    ("text", "message"), [("rondom", 'unknown|no policy|"rondom"'), (" ", "no policy is named"), ("python:a:b", "callable")]
)
def test_what_is_no_policy_is_refused(text: str, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        factories(text)
