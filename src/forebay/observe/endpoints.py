"""Endpoints as a list, over all pools."""

from collections.abc import Mapping
from typing import Any

_SHOWN = (
    "address", "target", "status", "reason", "since", "next", "tier", "role", "weight", "declared_weight", "passed_over", "requests",
    "failures", "inflight", "probes", "overlay",
)  # fmt: skip


def listed(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The endpoints of a status document, each with its pool and id."""
    return [
        {"pool": pool, "id": name, **{key: endpoint[key] for key in _SHOWN}}
        for pool, value in document["pools"].items()
        for name, endpoint in value["endpoints"].items()
    ]
