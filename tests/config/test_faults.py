"""Whatever is declared, the answer is a configuration or its faults, and never anything else."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from forebay.config.canonical import canonical
from forebay.config.load import from_dict
from forebay.config.schema import GatewayConfig
from forebay.config.words import path_text
from forebay.errors import ConfigError, Fault

KEYS = st.one_of(st.sampled_from(["pool", "endpoints", "match", "weight", "x y", ""]), st.integers(0, 3))
JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(max_size=6),
        st.sampled_from(
            ["/a/*", "~(", "$9", "a:1", "off", "*", "unix:/x", "http://", "https://", "[", "[]", "[:", ":", "://", "10.0.0.1/8", "2s"]
        ),
        st.binary(max_size=3),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield (*path, key)
        yield from places(each, (*path, key))


def outcome(declared: dict[str, Any]) -> GatewayConfig | list[Fault]:
    try:
        return from_dict(declared, GatewayConfig)
    except ConfigError as error:
        return error.faults


@given(data=st.data())
def test_junk_in_any_place_is_a_fault_and_no_crash(data: st.DataObject, declarations: st.SearchStrategy[dict[str, Any]]) -> None:
    declared = copy.deepcopy(data.draw(declarations))
    for _ in range(data.draw(st.integers(1, 3))):
        *outer, last = data.draw(st.sampled_from(list(places(declared))))
        inner = declared
        for key in outer:
            inner = inner[key]
        inner[last] = data.draw(JUNK)
    result = outcome(declared)
    if isinstance(result, GatewayConfig):
        assert from_dict(canonical(result), GatewayConfig) == result
    else:
        assert result
        assert all(fault.message and fault.severity == "error" for fault in result)
        assert not [fault for fault in result if "Input should" in fault.message or "pydantic" in fault.message.lower()]


@given(JUNK)
def test_junk_in_place_of_everything_is_a_fault_and_no_crash(junk: Any) -> None:
    for key in ("gateway", "limits", "listeners", "routes", "pools"):
        assert outcome({"gateway": {"listen": ":1"}, "pools": {"a": {"endpoints": ["a:1"]}}, key: junk})


def test_names_that_are_no_bare_keys_are_quoted_in_a_path() -> None:
    assert path_text(("pools", "a b", "endpoints", 1, "weight")) == 'pools."a b".endpoints[1].weight'
