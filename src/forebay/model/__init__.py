"""The mathematics of balancing: what each policy picks, and how long requests then take, as formulas. Pure, on NumPy.

from forebay.model import State, pick_probability

pick_probability("weighted_random", State(weight=[1, 2, 3]))  # array([0.16666667, 0.33333333, 0.5])
"""

from forebay.model.hashing import keys_peak, leaver_share, maglev_moved, maglev_peak, maglev_slots, moved, peak, ring_peak, ring_spread
from forebay.model.picks import best_of_samples, pick_probability, scores
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
from forebay.model.state import State

__all__ = [
    "State",
    "best_of_samples",
    "erlang_b",
    "erlang_c",
    "keys_peak",
    "leaver_share",
    "maglev_moved",
    "maglev_peak",
    "maglev_slots",
    "mmk_response",
    "mmk_waiting",
    "mmk_waiting_quantile",
    "moved",
    "peak",
    "pick_probability",
    "power_of_d_response",
    "power_of_d_tail",
    "power_of_two_response",
    "random_response",
    "ring_peak",
    "ring_spread",
    "round_robin_response",
    "scores",
    "shortest_queue_response",
]
