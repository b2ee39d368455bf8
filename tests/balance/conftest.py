"""Texts of expressions, with and without parentheses that they need."""

import pytest
from hypothesis import strategies as st

from forebay.balance import FIELDS

NUMBERS = st.one_of(
    st.sampled_from(["0", "1", "2", "0.5", "1e-9", "3.0", "100000000000000000000", "1e300", "-1", "-0.0", "007e0"]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**70), 2**70).map(str),
)
LEAVES = st.one_of(NUMBERS, st.sampled_from(list(FIELDS)), st.sampled_from(["reported('kv_cache')", 'reported("a.b/c")']))
OPERATORS = st.sampled_from(["+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!="])
FUNCTIONS = st.sampled_from([("min", 2), ("min", 3), ("max", 2), ("max", 4), ("where", 3), ("log", 1), ("exp", 1), ("clamp", 3)])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    either = st.one_of(inner, inner.map(lambda text: f"({text})"))
    return st.one_of(
        st.tuples(either, OPERATORS, either).map(" ".join),
        either.map(lambda text: f"-{text}"),
        inner.map(lambda text: f"({text})"),
        FUNCTIONS.flatmap(
            lambda function: st.lists(inner, min_size=function[1], max_size=function[1]).map(
                lambda arguments: f"{function[0]}({', '.join(arguments)})"
            )
        ),
    )


@pytest.fixture(scope="session")
def expression_texts() -> st.SearchStrategy[str]:
    """Texts in the grammar of expressions, of which some are refused: chained comparisons, constants that are not finite, too large."""
    return st.recursive(LEAVES, _larger, max_leaves=14)
