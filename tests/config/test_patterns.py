"""Patterns of a match: what is taken, and what is refused with which words."""

import pytest

from forebay.config.patterns import count_groups, parse_host_pattern, parse_path, parse_regex, parse_value_pattern
from forebay.types import Malformed


@pytest.mark.parametrize("path", ["/", "/a", "/a/", "/*", "/a/*", "/a%20b", "~/a/[^/]+", "~.*", "/a:b@c/*"])
def test_path_patterns_are_kept_as_written(path: str) -> None:
    assert parse_path(path) == path


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("a", 'did you mean "/a"?'),
        ("*", 'did you mean "/*"?'),
        ("/a?b=c", 'match the query with match = { query = { name = "value" } }'),
        ("/a*", 'write "/prefix/*", or a regex as "~/a[^/]*/b"'),
        ("/*/a", 'write "/prefix/*", or a regex as "~/a[^/]*/b"'),
        ("/a b", "write it percent-encoded, as %20 for a space"),
        ("/ä", "write it percent-encoded, as %20 for a space"),
        ("", 'write "/prefix/*"'),
        (1, 'write "/prefix/*"'),
    ],
)
def test_what_is_no_path_pattern_is_told_how_to_write_one(path: object, hint: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_path(path)
    assert caught.value.hint == hint


@pytest.mark.parametrize("pattern", ["a", "*", "a*", "~a|b", "text/html; q=0.5", "ä*"])
def test_value_patterns_are_kept_as_written(pattern: str) -> None:
    assert parse_value_pattern(pattern) == pattern


@pytest.mark.parametrize("pattern", ["*a", "a*b", "**", "a\nb", "", None])
def test_what_is_no_value_pattern_is_refused(pattern: object) -> None:
    with pytest.raises(Malformed):
        parse_value_pattern(pattern)


@pytest.mark.parametrize(
    ("host", "result"),
    [
        ("API.example.com", "api.example.com"),
        ("*.Example.com", "*.example.com"),
        ("10.0.0.1", "10.0.0.1"),
        ("[::1]", "[::1]"),
        ("a.b.", "a.b"),
    ],
)
def test_host_patterns_are_in_lower_case(host: str, result: str) -> None:
    assert parse_host_pattern(host) == result


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("*", "leave the key out"),
        ("a.*.com", 'did you mean "*.com"?'),
        ("*example.com", 'did you mean "*.example.com"?'),
        ("a.com:80", 'write "a.com"; ports are not matched'),
        ("https://a.com/x", 'write "a.com"; ports are not matched'),
        ("bücher.example", "write it in its ASCII form (xn--...)"),
    ],
)
def test_what_is_no_host_pattern_is_told_how_to_write_one(host: str, hint: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_host_pattern(host)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("regex", "what"),
    [
        ("/(?=a)", "look-ahead"),
        ("/(?!a)", "look-ahead"),
        ("(?<=/)a", "look-behind"),
        ("(?<!/)a", "look-behind"),
        (r"(a)\1", "back reference"),
        ("(?P<x>a)(?P=x)", "back reference"),
        ("(?>a)", "atomic group"),
        ("(a)?(?(1)b|c)", "conditional"),
        (r"[]](?=a)", "look-ahead"),
    ],
)
def test_what_rust_cannot_match_is_refused_by_its_name(regex: str, what: str) -> None:
    with pytest.raises(Malformed, match=what):
        parse_regex(regex)


@pytest.mark.parametrize("regex", ["(", "a)", "[a", "*a", "a{2,1}", "(?P<1>a)", "\\"])
def test_a_malformed_regex_is_refused(regex: str) -> None:
    with pytest.raises(Malformed, match="is malformed"):
        parse_regex(regex)


@pytest.mark.parametrize(
    "regex",
    [r"[(?=]", r"\(?=a", r"\\(a)", r"[\]](a)", "(?:a)", "(?P<x>a)", "(?<x>a)", r"\p{L}+", r"a\z", "(?i)a", "a(?i:b)", "[[:alpha:]]"],
)
def test_what_only_looks_forbidden_or_is_rusts_own_is_left_to_the_engine(regex: str) -> None:
    assert parse_regex(regex) == regex


@pytest.mark.parametrize(
    ("regex", "groups"),
    [("a", 0), ("(a)(b)", 2), ("(?:a)(?i)(b)", 1), ("(?P<x>a)(?<y>b)", 2), (r"\(a\)[(](b)", 1), ("((a)b)", 2)],
)
def test_groups_are_counted_as_the_engine_numbers_them(regex: str, groups: int) -> None:
    assert count_groups(regex) == groups
