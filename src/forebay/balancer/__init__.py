"""The engine's picks inside any Python program. Nothing listens and nothing is passed on: the program's own client connects.

    balancer = Balancer(["10.0.0.1:80", "10.0.0.2:80"])
    with balancer.pick() as endpoint:
        answer = httpx.get(f"http://{endpoint.address}/")

What the block came to is learned: how long it took, and whether it raised.
"""

from forebay.balancer.balancer import Balancer
from forebay.balancer.picked import Attempt, Pick, PickedEndpoint

__all__ = ["Attempt", "Balancer", "Pick", "PickedEndpoint"]
