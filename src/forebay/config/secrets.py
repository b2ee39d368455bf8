"""The secrets of a configuration, which its canonical form masks: written back into it, and as `${NAME}` where they were declared so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from forebay.config.canonical import canonical
from forebay.config.environment import substitute
from forebay.config.load import from_dict
from forebay.config.provenance import Path, Provenance
from forebay.config.schema import GatewayConfig
from forebay.config.words import path_text
from forebay.errors import ConfigError, Fault
from forebay.types import Secret

Json = dict[str, Any]
C = TypeVar("C", bound=GatewayConfig)


def revealed(config: GatewayConfig) -> tuple[Json, list[list[str]]]:
    """The canonical form with its secrets, and the paths of those that stand there as `${NAME}`. Whoever writes it down has to keep it
    from others.

    Raises:
        ConfigError: for what exists only in this process: a local callable, or a secret that is no text.
    """
    value, references = _canonical(config), []
    for path, secret in _secrets(config):
        raw = config.provenance.references.get(path)
        if raw is not None:
            references.append([str(part) for part in path])
        _put(value, path, raw if raw is not None else _text(secret, path))
    return value, references


def restored(value: Json, references: list[list[str]], environment: Mapping[str, str], cls: type[C]) -> C:
    """The configuration again, as a `cls`.

    Raises:
        ConfigError: for a variable that the environment does not have any more, and for what this version does not take.
    """
    missing: list[Fault] = []
    raws: dict[Path, str] = {}
    for reference in references:
        path: Path = tuple(reference)
        raws[path] = _get(value, path)
        complete, found = substitute({"secret": raws[path]}, environment)
        missing += [Fault(message, path_text(path), hint=hint) for _, message, hint in found]
        _put(value, path, complete["secret"])
    if missing:
        raise ConfigError(missing)
    config = from_dict(value, cls)
    config.note_provenance(Provenance(references=raws))
    return config


def _canonical(config: GatewayConfig) -> Json:
    local = [name for name, pool in config.pools.items() if pool.balance.local]
    if local:
        said = "is local: its callable exists only in this process"
        raise ConfigError([Fault(said, f"pools.{name}.balance", hint="name a function of a module") for name in local])
    return canonical(config)


def _secrets(config: GatewayConfig) -> Iterator[tuple[Path, Secret]]:
    if config.admin_token is not None:
        yield ("gateway", "admin_token"), config.admin_token
    for name, pool in config.pools.items():
        if pool.affinity is not None and pool.affinity.secret is not None:
            yield ("pools", name, "affinity", "secret"), pool.affinity.secret


def _text(secret: Secret, path: Path) -> str:
    try:
        return secret.reveal().decode()
    except UnicodeDecodeError:
        raise ConfigError([Fault("is no text, and a file holds nothing else", path_text(path), hint="make it of ASCII")]) from None


def _get(value: Json, path: Path) -> str:
    for part in path:
        value = value[str(part)]
    return str(value)


def _put(value: Json, path: Path, secret: str) -> None:
    *outer, last = path
    for part in outer:
        value = value[str(part)]
    value[str(last)] = secret
