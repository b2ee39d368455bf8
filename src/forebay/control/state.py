"""The two values of a running gateway: what is declared, and what is served."""

from dataclasses import dataclass, field
from typing import Any

from forebay.config.schema import GatewayConfig
from forebay.control.overlays import Overlays


@dataclass(frozen=True, slots=True)
class Desired:
    """What is declared, and what operators have ordered. `revision` grows by one with every change, so that a writer can tell whether it
    saw the last one.
    """

    config: GatewayConfig
    revision: int = 1
    overlays: Overlays = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Effective:
    """What is served: desired plus everything observed, as one snapshot in its wire form (`engine/src/snapshot.rs`)."""

    snapshot: dict[str, Any]

    @property
    def number(self) -> int:
        """Grows by one with every publication."""
        return int(self.snapshot["number"])

    def serves_the_same_as(self, other: "Effective") -> bool:
        """Whether nothing but the number differs."""
        return {**self.snapshot, "number": 0} == {**other.snapshot, "number": 0}
