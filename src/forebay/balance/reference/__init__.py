"""Every policy in plain Python: slow, readable, and the measure of the engine's picks, which equal these one for one.

Nothing here imports the engine. `picks` takes a policy's wire form; the rest are its parts.
"""

from forebay.balance.reference.draws import Occasion, draw, mix64, scale
from forebay.balance.reference.hashing import xxh64
from forebay.balance.reference.picks import picks
from forebay.balance.reference.structural import (
    LONGEST_CYCLE,
    WeightedRoundRobin,
    cycle,
    first_available,
    random,
    round_robin,
    units,
    weighted_random,
)
from forebay.balance.reference.tables import ConsistentHash

__all__ = [
    "LONGEST_CYCLE",
    "ConsistentHash",
    "Occasion",
    "WeightedRoundRobin",
    "cycle",
    "draw",
    "first_available",
    "mix64",
    "picks",
    "random",
    "round_robin",
    "scale",
    "units",
    "weighted_random",
    "xxh64",
]
