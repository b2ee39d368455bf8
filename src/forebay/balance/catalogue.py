"""What the catalogue says about each policy: its docstring, taken apart. `forebay policies` and the reference page are made of it."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Final

from forebay.balance.expression import DEEPEST, FIELDS, LARGEST
from forebay.balance.functions import FUNCTIONS
from forebay.balance.policies import DEFAULT, MOST_CHOICES, SAMPLES, SCAN_LIMIT
from forebay.balance.policy import POLICIES, usage

_LABELLED: Final = re.compile(r"^(Formula|Source|Use it|Not): (.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
_ARGUMENT: Final = re.compile(r"^    (\w+): (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One policy of the catalogue, in words.

    Attributes:
        name: what it is called.
        usage: how it is written, with the defaults of what may be left out.
        kind: `score`, `structural` or `python`.
        meaning: what it picks, in a sentence.
        formula: the same as arithmetic.
        source: where it comes from.
        use: when to use it.
        avoid: when not.
        arguments: the meaning of each.
        score: for a score policy of the catalogue, how it is written with `least` or `most`.
    """

    name: str
    usage: str
    kind: str
    meaning: str
    formula: str
    source: str
    use: str
    avoid: str
    arguments: dict[str, str]
    score: str | None


def entry(name: str) -> Entry:
    """What the catalogue says about a policy. Raises KeyError for a name that is none."""
    document = inspect.getdoc(POLICIES[name]) or ""
    said = {label: " ".join(text.split()) for label, text in _LABELLED.findall(document)}
    kind, score = _kind(name)
    return Entry(
        name=name,
        usage=usage(name),
        kind=kind,
        meaning=" ".join(document.partition("\n\n")[0].split()),
        formula=said["Formula"],
        source=said["Source"],
        use=said["Use it"],
        avoid=said["Not"],
        arguments=dict(_ARGUMENT.findall(document.partition("\nArgs:\n")[2])),
        score=score,
    )


def entries() -> list[Entry]:
    """The whole catalogue, in its order."""
    return [entry(name) for name in POLICIES]


def _kind(name: str) -> tuple[str, str | None]:
    if name in {"least", "most"}:
        return "score", None
    if name == "python":
        return "python", None
    policy = POLICIES[name]()
    if policy.expression is None:
        return "structural", None
    choices = policy.spec["choices"]
    return "score", f"{policy.spec['order']}({policy.expression}{f', choices={choices}' if choices else ''})"


_HEAD: Final = f"""\
# Policies

<!-- Written by `python -m forebay.config.reference` from the docstrings in src/forebay/balance/policies.py; change them there. -->

A pool's `balance` says how one of its endpoints is picked for each request: a name (`"round_robin"`), a call in Python's syntax
(`"consistent_hash(key='header:x-user', bounded_load=1.25)"`), or `"python:package.module:function"`. In Python the same are values of
`forebay.balance`. A pool that says nothing has `{DEFAULT}`. `forebay policies NAME` prints what stands here.

Every policy picks among the endpoints that may serve now: up, below their caps, not yet tried for this request, of a weight above 0.

[Choose a policy](../guides/choose-a-policy.md) compares them, [Write a policy](../guides/write-a-policy.md) makes one,
[Balancing](../concepts/balancing.md) says what is learned and how, and [the mathematics](../concepts/mathematics.md) what to expect.
"""

_EXPRESSIONS: Final = f"""\
## Expressions

`least(...)` and `most(...)` take arithmetic on what is known of an endpoint. In a file: `balance = "least((inflight + 1) / weight)"`; in
Python, which makes the very same:

```python
from forebay import balance, endpoint as e

balance.least((e.inflight + 1) / e.weight)
```

An expression has numbers, fields, `+ - * /`, `-x`, the comparisons `< <= > >= == !=` (1 where they hold, else 0) and functions; at most
{LARGEST} of these in all, {DEEPEST} inside one another. Numbers are IEEE 754 binary64: `x / 0` is infinite, `0 / 0` is NaN. A score that
is NaN or infinite loses to every finite one, for `most` too. A pool of more than {SCAN_LIMIT:,} endpoints compares {SAMPLES} of them,
drawn at random; `choices` (1 to {MOST_CHOICES}) draws that many in any pool.
"""


def page() -> str:
    """The reference page of all policies and of what expressions are made of, in Markdown."""
    known = entries()
    rows = "\n".join(f"| [`{each.name}`](#{each.name}) | {each.kind} | {_cell(each.meaning)} |" for each in known)
    fields = [(name, meaning) for name, meaning in FIELDS.items()]
    functions = [(f"{name}{_signature(name)}", _first_line(name)) for name in FUNCTIONS]
    return "\n".join(
        [
            _HEAD,
            f"| policy | kind | picks |\n|---|---|---|\n{rows}\n",
            *(_section(each) for each in known),
            _EXPRESSIONS,
            _table("field", fields),
            _table("function", functions),
        ]
    )


def _section(each: Entry) -> str:
    lines = [f"## `{each.name}`", "", each.meaning, "", f"- **Written** `{each.usage}`"]
    if each.score:
        lines.append(f"- **The line that runs** `{each.score}`")
    lines += [f"- **Formula** {each.formula}", f"- **Source** {each.source}", f"- **Use it** {each.use}", f"- **Not** {each.avoid}"]
    lines += [f"- `{name}`: {meaning}" for name, meaning in each.arguments.items()]
    return "\n".join(lines) + "\n"


def _table(what: str, rows: list[tuple[str, str]]) -> str:
    return f"| {what} | meaning |\n|---|---|\n" + "\n".join(f"| `{name}` | {_cell(meaning)} |" for name, meaning in rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _signature(name: str) -> str:
    parameters = inspect.signature(FUNCTIONS[name]).parameters.values()
    shown = [f"*{each.name}" if each.kind is each.VAR_POSITIONAL else each.name for each in parameters]
    return f"({', '.join(shown)})"


def _first_line(name: str) -> str:
    return " ".join((inspect.getdoc(FUNCTIONS[name]) or "").split())
