"""Job one, load balancing: which policies there are and what each picks. Pure: time and randomness are arguments.

from forebay import balance, endpoint as e

balance.least((e.inflight + 1) * e.service_time / e.weight)
balance.consistent_hash(key="header:x-user", bounded_load=1.25)
"""

from forebay.balance.callables import resolve
from forebay.balance.expression import DEEPEST, FIELDS, FRESH, LARGEST, Expression
from forebay.balance.functions import FUNCTIONS, clamp, endpoint, exp, log, max, min, where  # noqa: A004 - they are called `balance.min`
from forebay.balance.parse import parse, parse_expression
from forebay.balance.policies import (
    DEFAULT,
    consistent_hash,
    first_available,
    least,
    least_busy,
    least_connections,
    least_response_time,
    longest_response_time,
    most,
    peak_ewma,
    power_of_two,
    python,
    random,
    round_robin,
    shortest_expected_delay,
    weighted_random,
    weighted_round_robin,
)
from forebay.balance.policy import POLICIES, Policy, policy_of

__all__ = [
    "DEEPEST", "DEFAULT", "FIELDS", "FRESH", "FUNCTIONS", "LARGEST", "POLICIES", "Expression", "Policy", "clamp", "consistent_hash",
    "endpoint", "exp", "first_available", "least", "least_busy", "least_connections", "least_response_time", "log",
    "longest_response_time", "max", "min", "most", "parse", "parse_expression", "peak_ewma", "policy_of", "power_of_two", "python",
    "random", "resolve", "round_robin", "shortest_expected_delay", "weighted_random", "weighted_round_robin", "where",
]  # fmt: skip
