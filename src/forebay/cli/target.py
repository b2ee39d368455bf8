"""What a command was given to run or check: a TOML file, or `module:attribute`."""

from dataclasses import dataclass

from forebay.control.source import Source, find, imported
from forebay.errors import ConfigError, Fault
from forebay.gateway import Gateway


@dataclass(frozen=True)
class Target:
    """A gateway as declared, what its state directory is called, and where it can be read again."""

    gateway: Gateway
    name: str
    source: Source


def load(text: str) -> Target:
    """The gateway that `text` names; a file of that very name goes before a module.

    Raises:
        ConfigError: with every fault.
    """
    source = find(text)
    if not source.module:
        return Target(Gateway.from_file(text), source.name, source)
    gateway = imported(source)
    if not isinstance(gateway, Gateway):
        raise ConfigError([Fault(f"{text} is no forebay.Gateway, its type is {type(gateway).__name__}", hint="name one that is")])
    return Target(gateway, source.name, source)
