"""The names of Python callables: `module:name` where one can be imported anywhere, `local:N` where only this process has it."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from typing import Any, Final, cast

from forebay.types import Malformed, describe

Function = Callable[..., Any]

_NAMED: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_LONGEST: Final = 255
_LOCAL: Final[list[Function]] = []


def name_of(function: object) -> str:
    """The name of a callable, or a name as it is. The same callable has the same name as long as the process lives.

    Raises Malformed for what is neither, and for a local name, which no other process could look up.
    """
    if isinstance(function, str):
        if function.startswith("local:"):
            raise Malformed(f'"{function}" is local: it exists only in the process that made it', "name a function of a module")
        if not _NAMED.fullmatch(function) or len(function) > _LONGEST:
            raise Malformed(f'"{function}" names no callable', 'write "package.module:function"')
        return function
    if not callable(function):
        raise Malformed(f"{describe(function)} is no callable", 'give a function, or write "package.module:function"')
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    named = f"{module}:{name}"
    if module != "__main__" and _NAMED.fullmatch(named) and _attribute(sys.modules.get(str(module)), str(name)) is function:
        return named
    known = next((number for number, each in enumerate(_LOCAL) if each is function), None)
    if known is None:
        _LOCAL.append(function)
        known = len(_LOCAL) - 1
    return f"local:{known}"


def resolve(name: str) -> Function:
    """The callable of a name, its module imported if need be. Raises Malformed where there is none; passes on what the import raises."""
    module, _, path = name.partition(":")
    if module == "local":
        if path.isdecimal() and int(path) < len(_LOCAL):
            return _LOCAL[int(path)]
        raise Malformed(f'"{name}" is local: it exists only in the process that made it', "name a function of a module")
    try:
        found = _attribute(importlib.import_module(module), path)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(f"{error.name}.")):
            raise
        raise Malformed(f'"{name}": there is no module {error.name}', "install it, or run where it is found") from None
    if not callable(found):
        raise Malformed(f'"{name}": {"the module has no such name" if found is None else "it cannot be called"}', "name a function")
    return cast("Function", found)


def _attribute(value: object, path: str) -> object:
    for part in path.split("."):
        value = getattr(value, part, None)
    return value
