"""One pool of a running gateway, as a program sees it: its counters, its endpoints, and orders about them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from forebay.config.pools import listed
from forebay.config.schema import Endpoint, GatewayConfig, Pool
from forebay.control.loop import Change
from forebay.control.operator import Operator
from forebay.control.orders import Orders
from forebay.errors import ConfigError, ForebayError
from forebay.observe.statistics import PoolStatistics, Statistics


class _Running(Protocol):
    @property
    def operator(self) -> Operator: ...

    def change(self, change: Change) -> int: ...

    def statistics(self) -> Statistics: ...


class RunningPool(Orders):
    """One pool of a running gateway."""

    def __init__(self, running: _Running, name: str) -> None:
        super().__init__(lambda: running.operator, name)
        self._running = running

    def set_endpoints(self, endpoints: "Iterable[str | Endpoint | Mapping[str, Any]]") -> int:
        """Have these endpoints from now on, all at once; those that stay keep their connections, counters and status.

        Takes what `Pool(...)` takes. Returns the number of the snapshot that serves them.

        Raises:
            ConfigError: and then nothing has changed.
        """
        try:
            valid = Pool(listed(endpoints)).endpoints
        except ConfigError as error:
            raise ConfigError([replace(fault, key=f"pools.{self.name}.{fault.key}") for fault in error.faults]) from None

        def change(config: GatewayConfig) -> GatewayConfig:
            if self.name not in config.pools:
                raise ForebayError(f'there is no pool "{self.name}" any more', hint=f"the pools are {', '.join(config.pools)}")
            pool = config.pools[self.name].model_copy(update={"endpoints": valid})
            return config.model_copy(update={"pools": {**config.pools, self.name: pool}})

        return self._running.change(change)

    def statistics(self) -> PoolStatistics:
        """Its counters, and those of its endpoints."""
        return self._running.statistics().pools[self.name]
