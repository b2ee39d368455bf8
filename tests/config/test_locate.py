"""Every key of a document has its line."""

import tomllib
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from forebay.config.locate import Path, locate

TRICKY = '''\
# a = 1
top = "x # no comment"   # comment
"quoted key" = 1
[a]
b.c = 1
b."d.e" = """
[not] = "a header"
""\\"
"""
list = [
  1, # one ]
  "]",
  [ 2, [ 3 ] ],
  { x = 1, y.z = "}" },
  \'\'\'
]\'\'\',
]
time = 1979-05-27 07:32:00Z
[a.q]
empty = ""
also = \'\'
"\\u0041" = {}
[[r]]
n = 1
[r.sub]
k = [ ]
[[r.deep]]
v = 1
[[r.deep]]
v = 2
[[r]]
n = 2
[[r.deep]]
v = 3
'''


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from paths(each, (*path, key))
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from paths(each, (*path, index))


def test_a_tricky_document_is_located_key_by_key() -> None:
    lines = locate(TRICKY)
    expected = {
        ("top",): "top =",
        ("quoted key",): '"quoted key"',
        ("a",): "[a]",
        ("a", "b", "c"): "b.c",
        ("a", "b", "d.e"): 'b."d.e"',
        ("a", "list"): "list =",
        ("a", "list", 0): "  1,",
        ("a", "list", 2, 1, 0): "[ 3 ]",
        ("a", "list", 3, "y", "z"): "y.z",
        ("a", "list", 4): "'''",
        ("a", "time"): "time",
        ("a", "q", "A"): '"\\u0041"',
    }
    text = TRICKY.split("\n")
    for path, part in expected.items():
        assert part in text[lines[path] - 1], path
    assert text[lines["r", 0, "deep", 1, "v"] - 1] == "v = 2"
    assert text[lines["r", 1, "deep", 0, "v"] - 1] == "v = 3"
    assert text[lines["r", 1] - 1] == "[[r]]"
    assert lines["r", 1] > lines["r", 0, "deep", 1]


def test_exactly_the_paths_of_the_data_are_located() -> None:
    assert set(locate(TRICKY)) == set(paths(tomllib.loads(TRICKY)))


def test_carriage_returns_before_line_breaks_change_no_line() -> None:
    assert locate(TRICKY.replace("\n", "\r\n")) == locate(TRICKY)


def test_an_array_of_tables_is_found_through_the_last_of_its_elements() -> None:
    assert locate("[[r]]\n[[r]]\n[r.x]\ny = 1\n")["r", 1, "x", "y"] == 4


KEYS = st.sampled_from(["a", "b-c", '"d.e"', "'f'", "g.h", '"\\t"', "1"])
STRINGS = st.sampled_from(['"#"', "'['", '"\\""', "'\\'", '""', "''", '"""\n]"""', "'''\n}'''", '"""a""\n"""', '""""q""""', "'''''q'''''"])
SCALARS = st.one_of(STRINGS, st.sampled_from(["1", "-1.5e3", "true", "1979-05-27", "inf"]))
GAPS = st.sampled_from(["", " ", "\n", " # ]}\n "])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.tuples(st.lists(st.tuples(GAPS, inner, GAPS)), st.sampled_from(["", ","]), GAPS).map(
            lambda parts: "[" + ",".join("".join(each) for each in parts[0]) + (parts[1] if parts[0] else "") + parts[2] + "]",
        ),
        st.lists(st.tuples(KEYS, inner), max_size=3).map(lambda pairs: "{ " + ", ".join(f"{key} = {value}" for key, value in pairs) + " }"),
    ),
    max_leaves=8,
)
LINES = st.one_of(
    st.tuples(KEYS, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]}"),
    KEYS.map(lambda key: f"[{key}]"),
    KEYS.map(lambda key: f"[[ {key} ]] # x"),
    st.just("# [x]"),
)


@given(st.lists(LINES, max_size=12).map("\n".join))
def test_whatever_tomllib_reads_is_located_completely(document: str) -> None:
    try:
        data = tomllib.loads(document)
    except tomllib.TOMLDecodeError:
        return
    lines = locate(document)
    assert set(lines) == set(paths(data))
    assert all(1 <= line <= document.count("\n") + 1 for line in lines.values())
