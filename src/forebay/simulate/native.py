"""The engine's own balancer, which makes the picks of a simulation as it makes those of a gateway."""

from __future__ import annotations

import json

from forebay import _engine
from forebay.balance import Policy
from forebay.config.schema import GatewayConfig
from forebay.config.snapshot import snapshot
from forebay.simulate.balancers import Balancer, Factory, Plant
from forebay.types import Malformed


def native(policy: Policy) -> Factory:
    """The engine's own balancer with this policy. Raises Malformed for a policy that needs a running gateway (a Python callable)."""
    if policy.kind == "python":
        raise Malformed(f'"{policy}" is a Python callable, which is simulated nowhere yet', "name a policy that is no callable")

    def make(plant: Plant, seed: int) -> Balancer:
        endpoints = [f"10.{index >> 16}.{index >> 8 & 255}.{index & 255}:80" for index in range(len(plant.weights))]
        tables = [{"address": address, "weight": weight} for address, weight in zip(endpoints, plant.weights, strict=True)]
        config = GatewayConfig.model_validate({"listen": "127.0.0.1:0", "pools": {"simulated": {"endpoints": tables}}})
        pool = snapshot(config, 1, {})["pools"]["simulated"]
        return _engine.Balancer(json.dumps({**pool, "policy": policy.spec, "seed": seed}).encode())

    return make
