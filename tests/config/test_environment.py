"""`${NAME}` in the strings of a file."""

import pytest

from forebay.config.environment import substitute

ENVIRONMENT = {"HOST": "app", "PORT": "80", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${HOST}:${PORT}", "app:80"),
        ("${NO:-x}", "x"),
        ("${NO:-}", ""),
        ("${HOST:-x}", "app"),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY}", ""),
        ("$$", "$"),
        ("$${HOST}", "${HOST}"),
        ("$$$$1", "$$1"),
        ("$1 $ $x", "$1 $ $x"),
        ("${NO:-a:-b}", "a:-b"),
    ],
)
def test_references_are_replaced(text: str, result: str) -> None:
    assert substitute(text, ENVIRONMENT) == (result, [])


def test_every_unset_name_is_a_fault_at_its_place() -> None:
    data = {"a": ["x", {"b": "${ONE} ${TWO}"}], "${ONE}": 1}
    _, faults = substitute(data, ENVIRONMENT)
    assert [(path, message) for path, message, _ in faults] == [
        (("a", 1, "b"), "the environment has no variable ONE"),
        (("a", 1, "b"), "the environment has no variable TWO"),
    ]
    assert faults[0][2] == "set it, or write ${ONE:-default}"


@pytest.mark.parametrize("text", ["${", "${}", "${1}", "${a b}", "x${HOST"])
def test_a_reference_without_a_name_is_a_fault(text: str) -> None:
    _, faults = substitute(text, ENVIRONMENT)
    assert [message for _, message, _ in faults] == [f'"{text}" has a "${{" that names no variable']


def test_values_that_are_no_strings_stay_as_they_are() -> None:
    data = {"a": 1, "b": [True, 2.5], "c": {}}
    assert substitute(data, ENVIRONMENT) == (data, [])
