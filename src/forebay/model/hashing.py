"""Consistent hashes: how far from fair their shares are, and how many keys move when an endpoint leaves.

A peak is the largest share over the fair one: 1.0 is perfectly even, 1.25 means that some endpoint has a quarter more than it should. All
is said of many different keys that weigh alike; one hot key is one endpoint's, whatever the table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from forebay.balance.reference.tables import MAGLEV_SLOTS, MAGLEV_SLOTS_PER_ENDPOINT, Maglev, members
from forebay.model.queues import check_whole
from forebay.types import Malformed

RING_POINTS: Final = 250
"""Points for each endpoint on Forebay's ring where all have the weight 1; for others it is 160 to 320 on average."""

_KEYS: Final = 1_000_000


def ring_spread(servers: int, points: int = RING_POINTS) -> float:
    """The relative standard deviation of an endpoint's share on a ring: sqrt((n - 1) / (n k + 1)), k points for each of n `servers`.

    Points at random cut the circle into parts that are Dirichlet distributed, so k of n k parts are Beta(k, (n - 1) k); exact.
    Check: 0 for 1 server, 0.0995 for 100 with 100 points each.
    """
    check_whole("servers", servers)
    check_whole("points", points)
    return math.sqrt((servers - 1) / (servers * points + 1))


def ring_peak(servers: int, points: int = RING_POINTS) -> float:
    """The peak of a ring, about 1 + sqrt(2 ln n / k): the largest of n shares that are nearly normal with deviation 1 / sqrt(k).

    On the safe side: the excess over 1 is by a fifth higher than that of drawn rings for 100 servers, by a third for 10.
    Check: for 100 servers 1.48 with 40 points, 1.24 with 160, 1.10 with 1000.
    """
    check_whole("points", points)
    return 1 + math.sqrt(2 * _log(servers) / points)


def maglev_slots(servers: int) -> int:
    """How many slots Forebay's maglev table has for so many servers: the first prime from the least power of two that is at
    least 65,536 and a hundred for each server.
    """
    check_whole("servers", servers)
    least = 1 << (max(MAGLEV_SLOTS, MAGLEV_SLOTS_PER_ENDPOINT * servers) - 1).bit_length()
    return next(number for number in count(least) if all(number % divisor for divisor in range(2, math.isqrt(number) + 1)))


def maglev_peak(servers: int, slots: int | None = None) -> float:
    """The peak of a maglev table with equal weights: endpoints take turns at M `slots`, so it is ceil(M / n) n / M; exact.

    Without `slots`, of Forebay's table. Source: Eisenbud et al., "Maglev: a fast and reliable software network load balancer" (NSDI 2016),
    3.4. Check: 1.00005 for 10 servers in 65,537 slots, 1.0071 for 1,000.
    """
    check_whole("servers", servers)
    slots = maglev_slots(servers) if slots is None else slots
    if slots < servers:
        raise Malformed(f"{slots} slots are not enough for {servers} servers", "give at least a hundred for each server")
    return -(-slots // servers) * servers / slots


def keys_peak(servers: int, keys: int) -> float:
    """The peak that any table has for so many different `keys`, even a perfect one: about 1 + sqrt(2 n ln n / keys).

    Source: Raab and Steger, "Balls into bins: a simple and tight analysis" (1998), for keys well above n ln n; on the safe side too.
    Check: 1.07 for 10 servers and 10,000 keys.
    """
    check_whole("keys", keys)
    return 1 + math.sqrt(2 * servers * _log(servers) / keys)


def leaver_share(weight: Sequence[float], leaver: int) -> float:
    """The share of keys that move when endpoint number `leaver` (from 0) leaves: w / sum of w, 1/n where all are equal.

    That is the least that any table can do, since its keys have to go somewhere; ring and rendezvous move no others. A maglev table
    moves a few more: `maglev_moved` counts them. The same keys come back when it returns.
    Source: Karger et al. (1997); Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998).
    """
    if not 0 <= leaver < len(weight):
        raise Malformed(f"there is no endpoint number {leaver}", f"give a number from 0 to {len(weight) - 1}")
    if not all(0 <= each < math.inf for each in weight) or not sum(weight):
        raise Malformed("the weights make no shares", "write weights of 0 or more, one of them above 0")
    return weight[leaver] / sum(weight)


def maglev_moved(servers: int, seed: int = 0) -> float:
    """The share of keys that move when one of so many equal `servers` leaves a maglev table: counted, as no formula is known.

    Builds Forebay's table with and without the last of endpoints named 0, 1, 2, ..., for a hash of that `seed`: about a second for up to
    655 servers, more in proportion above. Check: 0.103 for 10 servers and 0.015 for 100, where 0.1 and 0.01 have to move.
    """
    check_whole("servers", servers)
    if servers == 1:
        return 1.0
    tables = [Maglev(members([(str(index), 1.0) for index in range(number)], seed)) for number in (servers, servers - 1)]
    places = (np.arange(_KEYS) + 0.5) / _KEYS
    before, after = (np.asarray(table.slots)[(places * table.size).astype(np.int64)] for table in tables)
    return moved(before, after)


def moved(before: ArrayLike, after: ArrayLike) -> float:
    """The share of keys, or of a table's slots, whose owner is another `after` than `before`; both name an owner for each, in one order.

    Raises Malformed where they differ in length, or are empty.
    """
    one, other = np.asarray(before), np.asarray(after)
    if one.shape != other.shape or not one.size:
        raise Malformed(f"{one.size} owners before and {other.size} after", "give one owner before and one after for each key")
    return float(np.mean(one != other))


def peak(owners: Sequence[int], weight: Sequence[float]) -> float:
    """The largest share over its fair one, counted: `owners` holds the endpoint (from 0) of each key, or of each slot of a table.

    Endpoints of weight 0 have no fair share and are left out. Raises Malformed where no endpoint has a weight, or there are no keys.
    """
    fair = np.asarray(weight, dtype=np.float64)
    if not len(owners) or not fair.any():
        raise Malformed("there is no share to compare", "give owners, and weights of which one is above 0")
    counts = np.bincount(np.asarray(owners, dtype=np.int64), minlength=len(fair))
    shares = counts[: len(fair)] / len(owners)
    return float(np.max(shares[fair > 0] / (fair[fair > 0] / fair.sum())))


def _log(servers: int) -> float:
    check_whole("servers", servers)
    return math.log(servers)
