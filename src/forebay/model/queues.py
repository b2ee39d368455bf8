"""Servers as queues: what a policy gives in the mean where requests arrive at random.

In all of these, n equal servers each work on one request at a time, in the order of arrival; requests arrive independently of one
another (Poisson); the time that one takes on an idle server is exponential with mean `service` (seconds, or 1 for answers in units of
it). `load` is the share of time that a server is busy, from 0 to below 1: arrivals a second times `service` over n. A mean response is
in the unit of `service` and includes the wait. Servers that share their time among requests (processor sharing) have the same mean under
`random`, for service times of any kind.

At a load of 1 or more a queue grows without end and has no mean: Malformed is raised, as for numbers that make no sense.
"""

from __future__ import annotations

import math

from forebay.types import Malformed


def erlang_b(servers: int, offered: float) -> float:
    """The share of requests refused where nobody waits: M/M/k/k, `offered` in erlangs (arrivals a second times mean service), 0 or more.

    B(0) = 1, B(k) = a B(k-1) / (k + a B(k-1)), which is a^k/k! over the sum of a^i/i!, without its overflow.
    Source: Erlang (1917). Check: B(10, 9) = 0.1680, B(5, 3) = 0.1101.
    """
    check_whole("servers", servers)
    if not 0 <= offered < math.inf:
        raise Malformed(f"an offered load of {offered} erlangs makes no sense", "give a number of 0 or more")
    blocked = 1.0
    for server in range(1, servers + 1):
        blocked = offered * blocked / (server + offered * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """The probability that a request has to wait in M/M/k, one queue before all `servers`: B / (1 - load (1 - B)), B of k `load` erlangs.

    Source: Erlang (1917). Check: C(1, load) = load; C(10, 0.9) = 0.6687.
    """
    check_load(load)
    blocked = erlang_b(servers, servers * load)
    return blocked / (1 - load * (1 - blocked))


def mmk_waiting(servers: int, load: float, service: float = 1.0) -> float:
    """The mean wait before service in M/M/k: C over k (1 - load), times `service`.

    Source: as erlang_c. Check: 9 for 1 server at load 0.9, 0.6687 for 10.
    """
    check_service(service)
    return service * erlang_c(servers, load) / (servers * (1 - load))


def mmk_waiting_quantile(servers: int, load: float, share: float, service: float = 1.0) -> float:
    """The wait in M/M/k that `share` (0 to below 1) of the requests do not exceed; 0 where that many do not wait at all.

    From P(wait > t) = C e^(-k (1 - load) t / service). Check: for one server at load 0.9, the 0.99 quantile is 10 ln 90 = 45.0.
    """
    check_service(service)
    if not 0 <= share < 1:
        raise Malformed(f"{share} is no share", "give a number from 0 to below 1, such as 0.99")
    waiting = erlang_c(servers, load)
    return 0.0 if waiting <= 1 - share else service * math.log(waiting / (1 - share)) / (servers * (1 - load))


def mmk_response(servers: int, load: float, service: float = 1.0) -> float:
    """The mean response in M/M/k: no policy that picks on arrival does better on equal servers. Check: 1.6687 for 10 servers at 0.9."""
    return service + mmk_waiting(servers, load, service)


def random_response(load: float, service: float = 1.0, variation: float = 1.0) -> float:
    """The mean response where each request goes to a random server: 1 + load / (1 - load) (1 + variation^2) / 2, times `service`.

    Each server is a queue M/G/1, whatever the number of servers; `variation` is the standard deviation of service times over their mean,
    0 where all are alike, 1 for exponential ones: then it is M/M/1 and the mean 1 / (1 - load).
    Source: Pollaczek (1930), Khinchine (1932). Check: 10 at load 0.9, 20 at 0.95, 100 at 0.99; 5.5 at 0.9 without variation.
    """
    check_load(load)
    check_service(service)
    if not 0 <= variation < math.inf:
        raise Malformed(f"a variation of {variation:g} makes no sense", "give the deviation of service times over their mean, 0 or more")
    return service * (1 + load / (1 - load) * (1 + variation**2) / 2)


def round_robin_response(servers: int, load: float, service: float = 1.0) -> float:
    """The mean response where requests go to the servers by turns: service / (1 - s).

    Each server then is a queue E_n/M/1: what comes to it are n arrivals apart, and s in (0, 1) solves s = (n load / (n load + 1 - s))^n.
    Source: Kleinrock, "Queueing Systems" I (1975), 6.4 (G/M/1). Check: 1 server is M/M/1; 10 servers at load 0.9: 5.660.
    """
    check_whole("servers", servers)
    check_load(load)
    check_service(service)
    return service / (1 - _root(servers, load))


def power_of_d_tail(load: float, choices: int, jobs: int) -> float:
    """The share of servers with at least `jobs` requests under the best of `choices` samples: load^((d^jobs - 1) / (d - 1)).

    The mean field, which n servers come to as n grows. Source: Mitzenmacher, "The power of two choices in randomized load balancing"
    (2001); Vvedenskaya, Dobrushin and Karpelevich (1996).
    """
    check_load(load)
    check_whole("choices", choices)
    if jobs < 0:
        raise Malformed(f"{jobs} requests make no sense", "give a whole number of 0 or more")
    return _power(load, jobs if choices == 1 else (choices**jobs - 1) // (choices - 1))


def power_of_d_response(load: float, choices: int = 2, service: float = 1.0) -> float:
    """The mean response under the best of `choices` samples by requests in flight: the sum over i of load^((d^i - d) / (d - 1)).

    The mean field: exact as servers grow, and for 1 choice, which is random. Few servers at high load have more: 10 at load 0.9, 14 % more
    with 2 choices (see power_of_two_response). Source: as power_of_d_tail.
    Check: for 1, 2 and 3 choices 10, 2.614 and 2.028 at load 0.9; 20, 3.383 and 2.535 at 0.95; 100, 5.432 and 3.858 at 0.99.
    """
    check_service(service)
    if choices == 1:
        return random_response(load, service)
    check_load(load)
    check_whole("choices", choices)
    total, exponent, term = 0.0, 0, 1.0
    while total + term != total:  # the exponents grow like d^i, so this is over after a few dozen terms
        total += term
        exponent = choices * (exponent + 1)
        term = _power(load, exponent)
    return service * total


def _root(servers: int, load: float) -> float:
    """The root below 1 of s = A*(1 - s), A* being the transform of n arrivals' time apart, by bisection: s - A* rises through it."""
    arrivals = servers * load
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        if middle >= 1:
            break
        if arrivals == 0 or math.exp(-servers * math.log1p((1 - middle) / arrivals)) <= middle:
            high = middle
        else:
            low = middle
    return high


def _power(load: float, exponent: int) -> float:
    # 0.9 ** 10**400 would raise, and is 0.
    return math.exp(max(exponent * math.log(load), -1e9)) if load and exponent < 1e300 else float(exponent == 0)  # noqa: PLR2004


def check_whole(name: str, number: int) -> None:
    """Raises Malformed for a number below 1."""
    if number < 1:
        raise Malformed(f"{number} {name} make no sense", "give a whole number of 1 or more")


def check_load(load: float) -> None:
    """Raises Malformed for a load at which there is no steady state."""
    if not 0 <= load < 1:
        hint = "give a load from 0 to below 1: the share of time that a server is busy"
        raise Malformed(f"at a load of {load:g} queues grow without end" if load >= 1 else f"a load of {load:g} makes no sense", hint)


def check_service(service: float) -> None:
    """Raises Malformed for what is no mean service time."""
    if not 0 < service < math.inf:
        raise Malformed(f"a mean service time of {service:g} makes no sense", "give seconds above 0, or leave it out for units of it")
