"""Rows of the route table: 10,000 mixed routes cost what 10 cost, wherever the matching one stands."""

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.load import Sample
from bench.measure import Line
from bench.session import Session, disturbed, say, trouble

MANY, FEW = 10_000, 10
KINDS = ("host", "prefix", "header", "method", "regex")


@dataclass(frozen=True)
class Target:
    """A request that one route alone matches."""

    kind: str
    number: int
    load: tuple[object, ...]


def table(count: int, *, shared: bool) -> str:
    """TOML of `count` routes, the five kinds by turns.

    With `shared`, the header routes have one path between them and so have the method routes: only the field or the
    method tells them apart. Without, each has a path prefix of its own.
    """
    return "\n\n".join(_route(KINDS[at % len(KINDS)], at // len(KINDS), shared=shared) for at in range(count))


def _route(kind: str, number: int, *, shared: bool) -> str:
    own = "" if shared else f"/{number}"
    match = {
        "host": f'host = "site-{number}.example.com"',
        "prefix": f'path = "/prefix/{number}/*"',
        "header": f'path = "/header{own}/*", header = {{ x-tenant = "tenant-{number}" }}',
        "method": f'path = "/method{own}/*", method = "{_method(number, shared=shared)}"',
        "regex": f'path = "~/regex/{number}/[a-z]+/[0-9]+"',
    }[kind]
    return f'[[routes]]\nname = "{kind}-{number}"\nmatch = {{ {match} }}\npool = "app"'


def _method(number: int, *, shared: bool) -> str:
    return f"M{number}" if shared else ("PUT", "DELETE", "PATCH", "OPTIONS")[number % 4]


def target(kind: str, number: int, *, shared: bool) -> Target:
    """The request for route `number` of its kind."""
    own = "" if shared else f"/{number}"
    extra: dict[str, tuple[object, ...]] = {
        "host": ("--host", f"site-{number}.example.com", "--path", "/some/page"),
        "prefix": ("--path", f"/prefix/{number}/some/page"),
        "header": ("--path", f"/header{own}/page", "--header", f"X-Tenant: tenant-{number}"),
        "method": ("--path", f"/method{own}/page", "--method", _method(number, shared=shared)),
        "regex": ("--path", f"/regex/{number}/page/42"),
    }
    return Target(kind, number, ("--connections", 64, "--expect", 63, *extra[kind]))


def mixed(session: Session) -> list[Line]:
    """The row of the table."""
    return _compared(session, shared=False)


def shared(session: Session) -> list[Line]:
    """A harder table: routes that only a header value or the method tells apart."""
    return _compared(session, shared=True)


def _compared(session: Session, *, shared: bool) -> list[Line]:
    """Largest ratio of a request's cost among 10,000 routes to the same kind's cost among 10."""
    if "forebay" not in session.peers:
        say("  only Forebay is measured in this row")
        return []
    last = MANY // len(KINDS) - 1
    places = {"last": last} if session.quick else {"first": 0, "middle": last // 2, "last": last}
    kinds = ("header", "method") if shared else KINDS
    with ExitStack() as stack:
        many, few = (
            stack.enter_context(
                session.peers["forebay"].start(
                    session.setting(routes=table(count, shared=shared), probe="/prefix/0/page"), session.fresh(f"routes-{count}")
                )
            )
            for count in (MANY, FEW)
        )
        loads = {f"{kind} few": (few, target(kind, 0, shared=shared)) for kind in kinds}
        loads |= {f"{kind} {place}": (many, target(kind, number, shared=shared)) for kind in kinds for place, number in places.items()}
        samples = session.interleave(list(loads), lambda name: session.sample(loads[name][0], loads[name][1].load))
        start = f"starts in {many.first_byte:.2f} s with {MANY}, {few.first_byte:.2f} s with {FEW} routes"
    cost = {name: statistics.median(entry.cpu_us for entry in windows) for name, windows in samples.items()}
    ratios = {f"{kind} {place}": cost[f"{kind} {place}"] / cost[f"{kind} few"] for kind in kinds for place in places}
    return [_line(samples, ratios, cost, start, shared=shared)]


def _line(samples: dict[str, list[Sample]], ratios: dict[str, float], cost: dict[str, float], start: str, *, shared: bool) -> Line:
    worst = max(ratios, key=lambda name: ratios[name])
    words: Sequence[str] = [f"{name} {ratio:.2f}" for name, ratio in ratios.items()]
    few = ", ".join(f"{name.split()[0]} {value:.2f}" for name, value in cost.items() if name.endswith("few"))
    note = f"worst: {worst}; {', '.join(words)}; µs with {FEW} routes: {few}; {start}"
    say(f"  {note}")
    key, title = ("routes-shared", "routes told apart by header or method alone") if shared else ("routes", "mixed routes")
    return Line(
        key=key,
        work=f"{MANY:,} {title}, against {FEW}",
        unit="x",
        values={"forebay": [ratios[worst]]},
        bar=1.10,
        against_rivals=False,
        notes={"forebay": note},
        invalid=trouble(samples),
        disturbance=disturbed(samples),
    )
