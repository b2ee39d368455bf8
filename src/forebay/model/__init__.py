"""The mathematics of balancing: what each policy picks, and how long requests then take, as formulas. Pure, on NumPy."""

from forebay.model.queues import (
    erlang_b,
    erlang_c,
    mmk_response,
    mmk_waiting,
    mmk_waiting_quantile,
    power_of_d_response,
    power_of_d_tail,
    random_response,
    round_robin_response,
)
from forebay.model.shortest import power_of_two_response, shortest_queue_response

__all__ = [
    "erlang_b",
    "erlang_c",
    "mmk_response",
    "mmk_waiting",
    "mmk_waiting_quantile",
    "power_of_d_response",
    "power_of_d_tail",
    "power_of_two_response",
    "random_response",
    "round_robin_response",
    "shortest_queue_response",
]
