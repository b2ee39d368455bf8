"""The mathematics of balancing and failover: what each policy picks, how long requests take, what a failure costs. Pure, on NumPy.

from forebay.model import State, pick_probability, primary_backup

pick_probability("weighted_random", State(weight=[1, 2, 3]))  # array([0.16666667, 0.33333333, 0.5])
primary_backup(0.1)  # array([[1. , 0. ], [0.1, 0.9]])
"""

from forebay.model.availability import HOURS_A_YEAR, Standby, hot_standby, in_series, k_of_n, pair_down, pair_lifetime, single, single_at
from forebay.model.chains import after, long_run, long_run_of_rates, mean_steps
from forebay.model.detection import FAULTS, Cost, Exposure, Figure, Probing, cost
from forebay.model.distributed import distributed, servers_up, servers_up_in_the_long_run, share_each_takes, steps_to_none
from forebay.model.failover import primary_backup, primary_serves, steps_certain, steps_to_last, steps_to_takeover
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
    "FAULTS",
    "HOURS_A_YEAR",
    "Cost",
    "Exposure",
    "Figure",
    "Probing",
    "Standby",
    "State",
    "after",
    "best_of_samples",
    "cost",
    "distributed",
    "erlang_b",
    "erlang_c",
    "hot_standby",
    "in_series",
    "k_of_n",
    "keys_peak",
    "leaver_share",
    "long_run",
    "long_run_of_rates",
    "maglev_moved",
    "maglev_peak",
    "maglev_slots",
    "mean_steps",
    "mmk_response",
    "mmk_waiting",
    "mmk_waiting_quantile",
    "moved",
    "pair_down",
    "pair_lifetime",
    "peak",
    "pick_probability",
    "power_of_d_response",
    "power_of_d_tail",
    "power_of_two_response",
    "primary_backup",
    "primary_serves",
    "random_response",
    "ring_peak",
    "ring_spread",
    "round_robin_response",
    "scores",
    "servers_up",
    "servers_up_in_the_long_run",
    "share_each_takes",
    "shortest_queue_response",
    "single",
    "single_at",
    "steps_certain",
    "steps_to_last",
    "steps_to_none",
    "steps_to_takeover",
]
