"""Python callables as policies: named where a name means the same anywhere, local where it does not."""

import copy
import os.path
import pickle
from functools import partial

import pytest

from forebay import balance
from forebay.balance import parse, resolve
from forebay.balance.callables import name_of
from forebay.types import Malformed


def first(request: object, candidates: list[object]) -> object:
    return candidates[0]


class Chooser:
    def __call__(self, *given: object) -> object:
        return given[-1]


def test_a_function_of_a_module_goes_by_its_name() -> None:
    policy = balance.python(os.path.join)
    assert str(policy) == "python:posixpath:join"
    assert policy.function is os.path.join
    assert not policy.local
    assert pickle.loads(pickle.dumps(policy)) == policy == parse(str(policy))  # noqa: S301 - made here
    assert resolve("posixpath:join") is os.path.join
    assert resolve("json:JSONDecoder.decode").__qualname__ == "JSONDecoder.decode"


@pytest.mark.parametrize("function", [lambda *given: given[-1], partial(first, None), Chooser()])
def test_what_no_name_leads_to_is_local_and_refuses_to_travel(function: balance.callables.Function) -> None:
    policy = balance.python(function)
    name = policy.spec["callable"]
    assert policy.local
    assert policy == balance.python(function)
    assert resolve(name) is function
    assert copy.deepcopy(policy) is copy.copy(policy) is policy
    with pytest.raises(TypeError, match="is local: its callable exists only in this process"):
        pickle.dumps(policy)
    with pytest.raises(Malformed, match="is local"):
        parse(str(policy))


def test_two_local_callables_are_two_policies() -> None:
    assert balance.python(lambda *given: given[0]) != balance.python(lambda *given: given[-1])


def test_what_shadows_a_name_is_not_what_the_name_means() -> None:
    def join(*parts: str) -> str:
        return "".join(parts)

    join.__module__, join.__qualname__ = "posixpath", "join"
    assert name_of(join).startswith("local:")


def test_a_function_of_the_program_itself_is_local() -> None:
    def main() -> None: ...

    main.__module__, main.__qualname__ = "__main__", "main"
    assert name_of(main).startswith("local:")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no_such_module:f", "there is no module no_such_module"),
        ("os.no_such:f", "there is no module os.no_such"),
        ("posixpath:no_such", "the module has no such name"),
        ("posixpath:sep", "it cannot be called"),
        ("local:999999", "is local"),
        ("local:x", "is local"),
    ],
)
def test_a_name_that_leads_nowhere_is_told(name: str, told: str) -> None:
    with pytest.raises(Malformed, match=told):
        resolve(name)
