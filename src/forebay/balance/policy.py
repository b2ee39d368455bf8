"""What a policy is: an immutable value with a name, the text that makes it again, and the form that the engine is told."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from types import MappingProxyType
from typing import Any, Final, ParamSpec, TypeAlias

from forebay.balance.expression import Expression
from forebay.types import Malformed, describe

P = ParamSpec("P")

MOST_FALLBACKS: Final = 3
"""How many policies may stand behind one another for what the first cannot pick."""


@dataclass(frozen=True, slots=True, repr=False)
class Policy:
    """How one of a pool's endpoints is picked for each request.

    Made by the functions of `forebay.balance`. Prints as what a `balance` key says; two that print alike are equal.

    Attributes:
        name: what it is called in the catalogue.
        text: what a `balance` key says: `least(inflight / weight, choices=2)`.
        encoded: `spec` as JSON.
        arguments: what it was made with, by name, every default included.
        function: the callable of a `python` policy that was given as one.
    """

    name: str
    text: str
    encoded: str
    arguments: Mapping[str, object] = field(default_factory=dict, compare=False)
    function: Callable[..., object] | None = field(default=None, compare=False)

    @property
    def spec(self) -> dict[str, Any]:
        """What the engine is told: the JSON of its `PolicySpec`, with the key `kind`."""
        return dict(json.loads(self.encoded))

    @property
    def kind(self) -> str:
        """`score`, `python`, or the name of a structural policy."""
        return str(self.spec["kind"])

    @property
    def expression(self) -> Expression | None:
        """The score, where it has one."""
        score = self.arguments.get("score")
        return score if isinstance(score, Expression) else None

    @property
    def fallback(self) -> Policy | None:
        """The policy that picks where this one cannot, where it has one."""
        behind = self.arguments.get("fallback")
        return behind if isinstance(behind, Policy) else None

    @property
    def local(self) -> bool:
        """Whether it holds a callable that only this process has."""
        return self.kind == "python" and self.spec["callable"].startswith("local:")

    def __repr__(self) -> str:
        return self.text

    def __copy__(self) -> Policy:
        return self

    def __deepcopy__(self, _memo: object) -> Policy:
        return self  # it never changes, and a local callable has no copy

    def __reduce__(self) -> tuple[Callable[..., Policy], tuple[object, ...]]:
        if self.local:
            raise TypeError(f'"{self}" is local: its callable exists only in this process; give it a name in a module')
        return Policy, (self.name, self.text, self.encoded, dict(self.arguments), self.function)


Made: TypeAlias = "Policy | Callable[[], Policy]"
"""A policy, or the function of the catalogue that makes it without arguments."""

_CATALOGUE: Final[dict[str, Callable[..., Policy]]] = {}
POLICIES: Final[Mapping[str, Callable[..., Policy]]] = MappingProxyType(_CATALOGUE)
"""Every policy's function by its name, in the order of the reference."""


def catalogued(make: Callable[P, Policy]) -> Callable[P, Policy]:
    """Enters a function into the catalogue: what it makes goes by the function's name, with those arguments that are no defaults."""
    name = make.__name__
    parameters = inspect.signature(make).parameters

    @wraps(make)
    def named(*positional: P.args, **keywords: P.kwargs) -> Policy:
        made = make(*positional, **keywords)
        return replace(made, name=name, text=_text(name, parameters, made.arguments))

    _CATALOGUE[name] = named
    return named


def made(spec: Mapping[str, object], arguments: Mapping[str, object], function: Callable[..., object] | None = None) -> Policy:
    """A policy from what the engine is told and from what it was made with; its text is its kind until it is catalogued."""
    kind = str(spec["kind"])
    return Policy(kind, kind, json.dumps(spec), MappingProxyType(dict(arguments)), function)


def policy_of(value: object) -> Policy:
    """The policy that a value stands for: itself, or a function of the catalogue called without arguments. Raises Malformed."""
    if isinstance(value, Policy):
        return value
    if callable(value) and value in _CATALOGUE.values():
        try:
            return policy_of(value())
        except TypeError:
            name = getattr(value, "__name__", "")
            raise Malformed(f"{name} needs arguments", f"write {usage(name)}") from None
    if isinstance(value, Expression):
        raise Malformed(f'"{value}" is a score and no policy', f"write least({value})")
    if callable(value):
        raise Malformed("a function is no policy", "write balance.python(function)")
    raise Malformed(f"{describe(value)} is no policy", f"write one of {', '.join(POLICIES)}")


def behind(value: object) -> Policy:
    """A policy to fall back on. Raises Malformed for what is none, for a Python callable, and for too many behind one another."""
    policy = policy_of(value)
    if policy.kind == "python":
        raise Malformed("a fallback is picked without Python", "write a policy that is no Python callable")
    count, inner = 1, policy.fallback
    while inner is not None:
        count, inner = count + 1, inner.fallback
    if count > MOST_FALLBACKS:
        raise Malformed(f"more than {MOST_FALLBACKS} fallbacks stand behind one another", "leave some out")
    return policy


def usage(name: str) -> str:
    """How a policy is written, with the defaults of what may be left out: `least(score, choices=None, ties='random')`."""
    shown = []
    for parameter in inspect.signature(POLICIES[name]).parameters.values():
        missing = parameter.default is parameter.empty
        value = parameter.name if missing else repr(parameter.default)
        shown.append(value if parameter.kind is parameter.POSITIONAL_ONLY else f"{parameter.name}={value}")
    return f"{name}({', '.join(shown)})" if shown else name


def _text(name: str, parameters: Mapping[str, inspect.Parameter], arguments: Mapping[str, object]) -> str:
    shown = []
    for parameter in parameters.values():
        value = arguments[parameter.name]
        if not _same(value, parameter.default):
            shown.append(repr(value) if parameter.kind is parameter.POSITIONAL_ONLY else f"{parameter.name}={value!r}")
    if name == "python" and len(shown) == 1:
        return f"python:{arguments['function']}"
    return f"{name}({', '.join(shown)})" if shown else name


def _same(value: object, default: object) -> bool:
    return value.same(default) if isinstance(value, Expression) else bool(value == default)
