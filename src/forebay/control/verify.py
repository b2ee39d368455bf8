"""Judging a configuration without serving it."""

from forebay.config.schema import GatewayConfig
from forebay.config.snapshot import snapshot
from forebay.control.callables import callables
from forebay.control.engine import EngineFactory, refusals
from forebay.control.loop import encode
from forebay.errors import ConfigError, Fault


def verify(config: GatewayConfig, engine: EngineFactory) -> list[Fault]:
    """What only the engine can judge, such as whether a regex compiles, and whether Python functions can be had; listens nowhere and starts
    nothing.
    """
    try:
        functions = callables(config)
        with refusals():
            engine(encode({**snapshot(config, 1, {}), "listeners": []}), 1, "off", "json", functions).shutdown()
    except ConfigError as error:
        return error.faults
    return []
