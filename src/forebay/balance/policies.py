"""The catalogue: every policy with its formula, where it comes from, when to use it and when not.

A policy of the first part is a *score*: one line of arithmetic over the fields of an endpoint, which the engine compiles and computes
for every pick. Those of the second part are *structural*: native code that looks at turns, draws or hashes instead of a score.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from forebay.balance.callables import name_of
from forebay.balance.expression import Operand, operand
from forebay.balance.functions import endpoint as e
from forebay.balance.functions import max as larger
from forebay.balance.keys import key_wire, parse_key
from forebay.balance.policy import POLICIES, Made, Policy, behind, catalogued, made
from forebay.types import Malformed, describe, parse_duration, suggest

DEFAULT: Final = "shortest_expected_delay"
"""The policy of a pool that names none."""

MOST_CHOICES: Final = 64
"""How many endpoints a policy may draw to compare."""
SCAN_LIMIT: Final = 1024
"""Endpoints up to which a score without `choices` is computed for all; in a larger pool for `SAMPLES` of them."""
SAMPLES: Final = 8
"""See `SCAN_LIMIT`."""
_MOST_REQUESTS: Final = 2**31 - 1
_LONGEST_BUDGET: Final = 1.0
_LARGEST_BOUND: Final = 1000.0

Ties: TypeAlias = Literal["random", "rotate"]
Table: TypeAlias = Literal["maglev", "ring", "rendezvous"]


_TABLES: Final = ("maglev", "ring", "rendezvous")
_TIES: Final = ("random", "rotate")


def _score(order: Literal["least", "most"], score: Operand, choices: int | None, ties: str) -> Policy:
    if ties not in _TIES:
        raise Malformed(f'"{ties}" is no way to settle ties', suggest(str(ties), _TIES) or "write random or rotate")
    expression, count = operand(score), _whole("choices", choices, MOST_CHOICES)
    spec = {"kind": "score", "order": order, "expression": expression.wire(), "choices": count, "ties": ties}
    return made(spec, {"score": expression, "choices": count, "ties": ties})


def _whole(name: str, value: object, largest: int) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise Malformed(f"{name} must be a whole number, not {value if isinstance(value, float) else describe(value)}")
    if not 1 <= value <= largest:
        raise Malformed(f"{name} must lie between 1 and {largest}, not {value}")
    return value


def _bound(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Malformed(f"bounded_load must be a number, not {describe(value)}")
    if not 1 <= value <= _LARGEST_BOUND:
        raise Malformed(f"bounded_load must lie between 1 and {_LARGEST_BOUND:.0f}, not {value}", "write 1.25 for a quarter above fair")
    return float(value)


@catalogued
def least(score: Operand, /, *, choices: int | None = None, ties: Ties = "random") -> Policy:
    """The endpoint with the smallest score, which is an expression of your own.

    Formula: argmin of the score. A score that is NaN or infinite loses to every finite one.
    Source: the other score policies are written with it.
    Use it: when you can say in one line what makes an endpoint a good choice.
    Not: when the choice depends on the request; hash it, or write a Python callable.

    Args:
        score: arithmetic on the fields of an endpoint.
        choices: how many endpoints, drawn at random, are compared; all of them without it, and 8 in pools of more than 1,024.
        ties: which of equal scores is picked: one at `random`, or each in `rotate`d turns.
    """
    return _score("least", score, choices, ties)


@catalogued
def most(score: Operand, /, *, choices: int | None = None, ties: Ties = "random") -> Policy:
    """The endpoint with the largest score, which is an expression of your own.

    Formula: argmax of the score. A score that is NaN or infinite loses to every finite one.
    Source: as `least`, the other way round.
    Use it: when more is better: free places, tokens left, a rate.
    Not: where `least` says it more plainly.

    Args:
        score: arithmetic on the fields of an endpoint.
        choices: how many endpoints, drawn at random, are compared; all of them without it, and 8 in pools of more than 1,024.
        ties: which of equal scores is picked: one at `random`, or each in `rotate`d turns.
    """
    return _score("most", score, choices, ties)


@catalogued
def least_connections(*, choices: int | None = None, ties: Ties = "random") -> Policy:
    """The endpoint with the fewest requests in flight for its weight, the new one counted in.

    Formula: argmin of (inflight + 1) / weight.
    Source: join the shortest queue (Winston, 1977), weighed as by APISIX's `least_conn` and, the other way up, Envoy's `least_request`.
        The 1 lets weights count while nothing is in flight.
    Use it: when one gateway serves equal servers; nothing simple has a better tail there.
    Not: when servers differ in speed and weights do not say so: a slow server looks as good as a fast one until it has a queue. Beside
        many other gateways it sees only its own requests.

    Args:
        choices: how many endpoints, drawn at random, are compared.
        ties: `random` or `rotate`.
    """
    return least((e.inflight + 1) / e.weight, choices=choices, ties=ties)


@catalogued
def least_response_time(*, choices: int | None = None, ties: Ties = "random") -> Policy:
    """The endpoint whose first byte comes soonest, its requests in flight counted in.

    Formula: argmin of (inflight + 1) * latency / weight.
    Source: nginx's `least_time header`, Traefik's `leasttime`. Without the in-flight requests, `least(latency / weight)`, every request
        of one round trip goes to the same server.
    Use it: when servers differ in distance or speed and answers come whole. Beside many other gateways it does best of all: latency shows
        the queues that they make.
    Not: for long streams, whose first byte says little of what is in flight; and when latency already contains the queue, as it does on a
        busy server: load then counts twice, and slow servers get less than they could do. `shortest_expected_delay` takes the queue out.

    Args:
        choices: how many endpoints, drawn at random, are compared.
        ties: `random` or `rotate`.
    """
    return least((e.inflight + 1) * e.latency / e.weight, choices=choices, ties=ties)


@catalogued
def longest_response_time(*, choices: int | None = None, ties: Ties = "random") -> Policy:
    """The endpoint whose first byte takes longest.

    Formula: argmax of latency * weight.
    Source: a textbook policy, taken by its word.
    Use it: to study it, or to drive load onto the slowest server on purpose.
    Not: to serve. The slowest server gets everything and becomes slower; the others starve. Of ten equal servers one gets 99 % or more.

    Args:
        choices: how many endpoints, drawn at random, are compared.
        ties: `random` or `rotate`.
    """
    return most(e.latency * e.weight, choices=choices, ties=ties)


@catalogued
def least_busy(*, choices: int | None = None, ties: Ties = "random") -> Policy:
    """The endpoint of the lowest utilisation: what it reports, or what its requests in flight say, whichever is higher.

    Formula: argmin of max(reported_load, inflight / (inflight + weight)).
    Source: a queue with N requests on average is busy for N / (N + 1) of the time (M/M/1; Kleinrock, Queueing Systems I, 1975); `weight`
        stands for how many it works on at once. Reports are those of ORCA.
    Use it: when servers report their load (`endpoint-load-metrics`) and do work that in-flight counts do not show.
    Not: when reports are rarer than a few a second: every gateway then turns to the same server until the next.

    Args:
        choices: how many endpoints, drawn at random, are compared.
        ties: `random` or `rotate`.
    """
    return least(larger(e.reported_load, e.inflight / (e.inflight + e.weight)), choices=choices, ties=ties)


@catalogued
def shortest_expected_delay(*, choices: int | None = None, ties: Ties = "random") -> Policy:
    """The endpoint that would be done soonest, by what one request is learned to take it.

    Formula: argmin of (inflight + 1) * service_time / weight.
    Source: shortest expected delay (Winston, 1977; IPVS `sed`), with the service time learned: latency divided by the requests in flight
        when a request came.
    Use it: always, until you know better: as good as `least_connections` on equal servers, and close to knowing the servers exactly on
        unequal ones.
    Not: when cost differs more between requests than between servers and depends on a key (caches): hash. Beside many other gateways
        `least_response_time` sees more of what they do. Where weights are shares to keep: while little is in flight the heaviest gets
        all; `weighted_round_robin` keeps them.

    Args:
        choices: how many endpoints, drawn at random, are compared.
        ties: `random` or `rotate`.
    """
    return least((e.inflight + 1) * e.service_time / e.weight, choices=choices, ties=ties)


@catalogued
def peak_ewma(*, choices: int | None = 2, ties: Ties = "random") -> Policy:
    """Of two endpoints drawn at random, the one whose latency times load is lower.

    Formula: draw two; argmin of (inflight + 1) * latency / weight.
    Source: Finagle's and Linkerd's `peak ewma`. Theirs also jumps to any peak; `latency` here is a plain average, so that one outlier does
        not banish a server.
    Use it: when it is what you have with Finagle or Linkerd and you want the same here.
    Not: for the shortest tail: comparing all (`least_response_time`) has a shorter one, with one gateway and with a hundred.

    Args:
        choices: how many endpoints are drawn.
        ties: `random` or `rotate`.
    """
    return least((e.inflight + 1) * e.latency / e.weight, choices=choices, ties=ties)


@catalogued
def power_of_two(score: Operand = (e.inflight + 1) / e.weight, /, *, ties: Ties = "random") -> Policy:
    """Of two endpoints drawn at random, the one with the smaller score; without one, the one with fewer requests in flight.

    Formula: draw two; argmin of the score. The share of queues with i or more requests is load ** (2 ** i - 1).
    Source: Mitzenmacher, The Power of Two Choices in Randomized Load Balancing (2001); Vvedenskaya, Dobrushin and Karpelevich (1996).
    Use it: with hundreds of endpoints, where comparing all costs more than it gains you.
    Not: for the shortest tail: comparing all has a shorter one, with one gateway and with a hundred. Where each gateway has hardly a
        request on each endpoint, counts are all 0 and it is as good as random.

    Args:
        score: arithmetic on the fields of an endpoint.
        ties: `random` or `rotate`.
    """
    return least(score, choices=2, ties=ties)


@catalogued
def round_robin() -> Policy:
    """One endpoint after the other, in their declared order; weights do not count.

    Formula: endpoint k mod n for pick number k; P(s) = 1 / n. Exact over all threads of the gateway.
    Source: the oldest there is; Nagle, On Packet Switches with Infinite Storage (RFC 970, 1985) for fair turns.
    Use it: when servers are equal and requests cost alike.
    Not: when either differs: the slowest server or the dearest requests build a queue that turns do not see.
    """
    return made({"kind": "round_robin"}, {})


@catalogued
def weighted_round_robin() -> Policy:
    """By turns in proportion to the weights, evenly spread.

    Formula: each step adds every weight to its endpoint's credit, picks the highest credit and takes the sum of the weights from it;
        P(s) = w(s) / sum of w. The steps repeat, so that they are made once and a pick is one look-up.
    Source: smooth weighted round robin, nginx (2012).
    Use it: when servers differ in size by a known factor and requests cost alike.
    Not: when the factor is a guess, or changes: `shortest_expected_delay` learns it.
    """
    return made({"kind": "weighted_round_robin"}, {})


@catalogued
def random() -> Policy:
    """Independent draws, every endpoint alike; weights do not count.

    Formula: P(s) = 1 / n.
    Source: the measure of all others: with n requests on n servers the fullest has about ln n / ln ln n.
    Use it: with very many gateways and cheap requests, where any state would be stale.
    Not: where the tail matters: at load 0.9 a request takes ten times its own time on average, by turns about half of that.
    """
    return made({"kind": "random"}, {})


@catalogued
def weighted_random() -> Policy:
    """Independent draws in proportion to the weights.

    Formula: P(s) = w(s) / sum of w.
    Source: inverse transform sampling over the cumulated weights (Devroye, 1986).
    Use it: as `random`, where servers differ in size; to shift traffic by shares.
    Not: where `weighted_round_robin` would do: its turns are even, draws come in clumps.
    """
    return made({"kind": "weighted_random"}, {})


@catalogued
def first_available(*, limit: int | None = None) -> Policy:
    """The first endpoint in declared order that has room; the others stay idle.

    Formula: the smallest index with inflight < limit; where none has room, the fewest requests in flight.
    Source: HAProxy's `first`, Caddy's `first`; bin packing by first fit (Johnson, 1973).
    Use it: to leave servers at the end of the list idle, so that they can be stopped; with a limit for each endpoint.
    Not: for even load or short tails: it fills one server before it starts the next. Ten equal servers at load 0.7 get 24 to 144 % of
        their fair share with a limit of 2. Without a limit and without `max_inflight` all goes to the first.

    Args:
        limit: requests in flight up to which an endpoint has room; without it, up to its cap `max_inflight`.
    """
    limit = _whole("limit", limit, _MOST_REQUESTS)
    return made({"kind": "first_available", "limit": limit}, {"limit": limit})


@catalogued
def consistent_hash(
    *,
    key: str = "client_ip",
    table: Table = "maglev",
    bounded_load: float | None = None,
    fallback: Made = weighted_random(),  # noqa: B008 - a value that never changes
) -> Policy:
    """The same endpoint for the same key, as far as it may serve; few keys move when endpoints come and go.

    Formula: `ring`: the next of each endpoint's points clockwise of the key's hash. `maglev`: entry hash mod M of a table that the
        endpoints fill by turns. `rendezvous`: argmax of w / -ln u(key, endpoint). With `bounded_load` c an endpoint takes a key while
        inflight + 1 <= ceil(c * (all in flight + 1) * w / sum of w), else the key goes on to the next.
    Source: Karger et al. (1997); Eisenbud et al., Maglev (NSDI 2016); Thaler and Ravishankar (1998); Mirrokni, Thorup and Zadimoghaddam,
        Consistent Hashing with Bounded Loads (2018).
    Use it: when a server does better with keys it has seen: caches, sessions, models with warm prefixes.
    Not: when one key makes much of the load, or keys are few; then with `bounded_load`, or not at all. Where 10,000 keys come by Zipf's law
        (0.9), ten equal servers get 61 to 163 % of their fair share, and 92 to 113 % with `bounded_load=1.25`. `maglev` is quickest and
        moves more keys than the others, at 100 endpoints half as many again; `rendezvous` is exact and looks at every endpoint.

    Args:
        key: `client_ip`, `path`, `header:NAME`, `cookie:NAME` or `query:NAME`.
        table: `maglev`, `ring` or `rendezvous`.
        bounded_load: how far above its fair share an endpoint may be loaded, 1 or more: 1.25 is a quarter above; unbounded without it.
        fallback: the policy for requests without the key.
    """
    if table not in _TABLES:
        raise Malformed(f'"{table}" is no table to hash with', suggest(str(table), _TABLES) or f"write one of {', '.join(_TABLES)}")
    key = parse_key(key)
    bound = None if bounded_load is None else _bound(bounded_load)
    other = behind(fallback)
    spec = {"kind": "consistent_hash", "table": table, "key": key_wire(key), "bounded_load": bound, "fallback": other.spec}
    return made(spec, {"key": key, "table": table, "bounded_load": bound, "fallback": other})


@catalogued
def python(
    function: Callable[..., object] | str,
    /,
    *,
    budget: float | str = 0.001,
    fallback: Made = POLICIES[DEFAULT](),  # noqa: B008 - a value that never changes
) -> Policy:
    """Whatever a Python function picks: `function(request, candidates) -> candidate`.

    Formula: the function's own. It runs beside the engine while it is quick, and on a Python thread when it is not.
    Source: yours.
    Use it: when the choice depends on what no expression says: a tenant's table, a model, the body's first bytes.
    Not: when an expression or a hash can say it: those cost nanoseconds and never wait for the interpreter.

    Args:
        function: a function, or its name as `package.module:function`.
        budget: seconds (or a duration such as `1ms`) after which the fallback picks instead, at most 1 s.
        fallback: the policy that picks when the function raises, answers nonsense or runs over its budget.
    """
    seconds = parse_duration(budget)
    if not 0 < seconds <= _LONGEST_BUDGET:
        raise Malformed("budget must be longer than 0 and at most 1s", "write 0.001, or '1ms'")
    name, other = name_of(function), behind(fallback)
    spec = {"kind": "python", "callable": name, "budget": seconds, "fallback": other.spec}
    arguments = {"function": name, "budget": seconds, "fallback": other}
    return made(spec, arguments, None if isinstance(function, str) else function)
