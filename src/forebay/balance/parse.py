"""The text of a `balance` key, read with Python's own grammar: a policy's name, a call, or `python:package.module:function`.

Only what is named here is understood; nothing of the text is ever run. Names, operators and calls do exactly what they do in Python, by
the same code, so that both make the very same tree. Size and depth are bounded before anything is made.
"""

from __future__ import annotations

import ast
import inspect
import operator
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, NoReturn

from forebay.balance.elsewhere import ELSEWHERE, meant, spelled
from forebay.balance.expression import FIELDS, OPERATOR_HINT, TOO_LARGE_HINT, TRUTH_HINT, Expression, field, operand
from forebay.balance.functions import FUNCTIONS
from forebay.balance.policies import python
from forebay.balance.policy import POLICIES, Policy, policy_of, usage
from forebay.types import Malformed, suggest

LONGEST: Final = 8192
"""How many characters a text may have."""
_MOST_NODES: Final = 256
_DEEPEST: Final = 32
_SHOWN: Final = 60

_PYTHON: Final = "python:"
_TEXTS: Final = frozenset({"key", "table", "ties"})
"""Arguments that are texts, which are easily written without their quotes."""
_UNQUOTED: Final = re.compile(r"[=(]\s*([A-Za-z_][\w.]*:[\w.:-]+)")
_BINARY: Final[Mapping[type[ast.AST], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_UNARY: Final[Mapping[type[ast.AST], Callable[[Any], Any]]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}


def parse(text: str) -> Policy:
    """The policy that a `balance` key says. Raises Malformed, whose message names the column (from 1) in the text."""
    stripped = text.strip()
    if stripped.startswith(_PYTHON):
        return python(stripped.removeprefix(_PYTHON).strip())
    # `least-connections` and `round robin` would be read as a difference and as nothing at all.
    if spelled(stripped) != stripped and spelled(stripped) in {*POLICIES, *ELSEWHERE}:
        raise Malformed(f'unknown policy "{stripped}" (column {len(text) - len(text.lstrip()) + 1})', meant(stripped))
    reader = _Reader(text)
    policy: Policy = reader.at(reader.root, policy_of, reader.value(reader.root, "policy"))
    return policy


def parse_expression(text: str) -> Expression:
    """The expression that a text says, without a policy around it. Raises Malformed as `parse` does."""
    reader = _Reader(text)
    expression: Expression = reader.at(reader.root, operand, reader.value(reader.root, "field"))
    return expression


class _Reader:
    """One text and its syntax tree, from which values are made the way Python would."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise Malformed(f"the text has {len(text)} characters, more than {LONGEST}", TOO_LARGE_HINT)
        # Line breaks only matter to statements, and one line keeps columns simple.
        line = re.sub(r"[\t\r\n\f]", " ", text)
        self.text = line.strip()
        self.indent = len(line) - len(line.lstrip())
        self.root = self._tree()
        self._bound()

    def _tree(self) -> ast.expr:
        short = self.text if len(self.text) <= _SHOWN else f"{self.text[: _SHOWN - 3]}..."
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                return ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            column = f" (column {error.offset + self.indent})" if error.offset else ""
            unquoted = _UNQUOTED.search(self.text)
            hint = f"put quotes around it: '{unquoted[1]}'" if unquoted else "write a policy's name or a call"
            raise Malformed(f'"{short}" cannot be read: {error.msg}{column}', hint) from None
        except (ValueError, MemoryError, RecursionError):
            raise Malformed(f'"{short}" cannot be read', "write a policy's name or a call") from None

    def _bound(self) -> None:
        count = 0
        level: list[ast.AST] = [self.root]
        for _ in range(_DEEPEST):
            count += len(level)
            level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr | ast.keyword)]
            if count > _MOST_NODES:
                raise Malformed("the text is too large", TOO_LARGE_HINT)
        if level:
            raise Malformed("the text is nested too deeply", TOO_LARGE_HINT)

    def column(self, node: ast.expr | ast.keyword) -> int:
        return len(self.text.encode()[: node.col_offset].decode()) + self.indent + 1

    def refuse(self, node: ast.expr | ast.keyword, message: str, hint: str | None) -> NoReturn:
        raise Malformed(f"{message} (column {self.column(node)})", hint)

    def at(self, node: ast.expr, make: Callable[..., Any], *values: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on
        """What `make` makes of the values; its fault is told with the place of the node."""
        try:
            return make(*values, **options)
        except Malformed as error:
            self.refuse(node, error.message, error.hint)
        except (ZeroDivisionError, OverflowError) as error:
            self.refuse(node, f'"{ast.unparse(node)}" is no finite number: {error}', "write one that is")

    def value(self, node: ast.expr, wanted: str) -> Any:  # noqa: ANN401 - a number, a text, an expression or a policy
        """What Python would make of a node. `wanted` is what an unknown name is called: a `policy` or a `field`."""
        match node:
            case ast.Constant(value=int() | float() | str() | None as constant):
                if isinstance(constant, float):
                    self.at(node, operand, constant)
                return constant
            case ast.Name(id=name):
                return self.named(node, name, wanted)
            case ast.UnaryOp(op=op, operand=inner) if type(op) in _UNARY:
                return self.at(node, _UNARY[type(op)], self.number(inner))
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _BINARY:
                return self.at(node, _BINARY[type(op)], self.number(left), self.number(right))
            case ast.Call(func=ast.Name(id=name)):
                return self.call(node, name, wanted)
        return self.unknown(node)

    def number(self, node: ast.expr) -> Any:  # noqa: ANN401 - a Python number or an expression
        """A value that Python's operators may be used on: they know texts as well, expressions do not."""
        value = self.value(node, "field")
        if not isinstance(value, Expression | int | float):
            self.at(node, operand, value)
        return value

    def named(self, node: ast.expr, name: str, wanted: str) -> Any:  # noqa: ANN401 - an expression or a function
        if name in POLICIES:
            return self.wanted(node, name, wanted)
        if name in FIELDS:
            return field(name)
        if name in FUNCTIONS:
            self.refuse(node, f'"{name}" is a function', f"write {name}(...)")
        return self.stranger(node, wanted, name, POLICIES if wanted == "policy" else (*FIELDS, *FUNCTIONS))

    def wanted(self, node: ast.expr, name: str, wanted: str) -> Callable[..., Policy]:
        if wanted != "policy":
            self.refuse(node, f'"{name}" is a policy, where a number is wanted', f"the fields are {', '.join(FIELDS)}")
        return POLICIES[name]

    def stranger(self, node: ast.expr, what: str, name: str, known: Iterable[str]) -> NoReturn:
        if what == "policy":
            hint = meant(name) or "`forebay policies` lists them"
        elif what == "field":
            hint = suggest(name, known) or f"the fields are {', '.join(FIELDS)}, and reported('name')"
        else:
            hint = suggest(name, known) or f"the functions are {', '.join(known)}"
        self.refuse(node, f'unknown {what} "{name}"', hint)

    def call(self, node: ast.Call, name: str, wanted: str) -> Any:  # noqa: ANN401 - an expression or a policy
        function: Callable[..., Any] | None = self.wanted(node, name, wanted) if name in POLICIES else FUNCTIONS.get(name)
        if function is None:
            what = "policy" if wanted == "policy" else "function"
            self.stranger(node, what, name, POLICIES if what == "policy" else FUNCTIONS)
        positional = [self.value(argument, "field") for argument in node.args]
        keywords: dict[str, Any] = {}
        parameters = inspect.signature(function).parameters
        for keyword in node.keywords:
            if keyword.arg is None:
                self.refuse(keyword, "** is not understood here", "write name=value")
            if keyword.arg in keywords:
                self.refuse(keyword, f'"{keyword.arg}" is given twice', "leave one out")
            if keyword.arg not in parameters:
                hint = suggest(keyword.arg, parameters) or f"write {_usage(name)}"
                self.refuse(keyword, f'{name} takes no "{keyword.arg}"', hint)
            if keyword.arg in _TEXTS and not isinstance(keyword.value, ast.Constant):
                written = ast.unparse(keyword.value)
                self.refuse(keyword.value, f'"{written}" has no quotes', f"write {keyword.arg}='{written}'")
            keywords[keyword.arg] = self.value(keyword.value, "policy" if keyword.arg == "fallback" else "field")
        try:
            inspect.signature(function).bind(*positional, **keywords)
        except TypeError as error:
            self.refuse(node, f"{name}: {error}", f"write {_usage(name)}")
        if name in FUNCTIONS:
            return self.at(node, function, *positional, **keywords)
        try:
            return function(*positional, **keywords)
        except Malformed as error:
            self.refuse(_culprit(node, partial(function, *positional), keywords, error.message), error.message, error.hint)

    def unknown(self, node: ast.expr) -> NoReturn:
        written = ast.unparse(node)
        match node:
            case ast.Attribute(value=ast.Name(id="e" | "endpoint"), attr=name):
                self.refuse(node, f'"{written}" is written without the part before the dot here', f'write "{name}"')
            case ast.IfExp() | ast.BoolOp() | ast.Compare() | ast.UnaryOp(op=ast.Not()):
                self.refuse(node, f'"{written}" asks whether something is true before the engine computes it', TRUTH_HINT)
            case ast.BinOp() | ast.UnaryOp():
                self.refuse(node, "an expression knows no such operator", OPERATOR_HINT)
            case _:
                self.refuse(node, f'"{written}" is not understood here', "write names, numbers, + - * / and calls")


def _culprit(node: ast.Call, make: Callable[..., Policy], keywords: Mapping[str, Any], fault: str) -> ast.expr:
    """The argument that a policy refuses: that without which it says something else, or its only one."""
    for keyword in node.keywords:
        try:
            make(**{name: value for name, value in keywords.items() if name != keyword.arg})
        except Malformed as error:
            if error.message == fault:
                continue
        return keyword.value
    return node.args[0] if len(node.args) == 1 else node


def _usage(name: str) -> str:
    if name in POLICIES:
        return usage(name)
    parameters = inspect.signature(FUNCTIONS[name]).parameters.values()
    return f"{name}({', '.join('...' if each.kind is each.VAR_POSITIONAL else each.name for each in parameters)})"
