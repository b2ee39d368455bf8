"""The Python functions that a configuration's policies name, found before anything starts or changes."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from forebay.balance import resolve
from forebay.config.schema import GatewayConfig
from forebay.errors import ConfigError, Fault
from forebay.types import Malformed

Function = Callable[..., Any]


def callables(config: GatewayConfig) -> dict[str, Function]:
    """Each function by the name that the engine is told, modules imported where need be.

    Raises:
        ConfigError: with a fault for each that cannot be had or cannot be called as `function(request, candidates)`.
    """
    found: dict[str, Function] = {}
    faults: list[Fault] = []
    for pool, name, function in _named(config):
        try:
            found[name] = function or resolve(name)
            fault = _unfit(found[name], name)
        except Malformed as error:
            fault = Fault(error.message, hint=error.hint)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's own code raises is told, not passed on
            fault = _broken(name, error)
        if fault is not None:
            path = ("pools", pool, "balance")
            origin = config.provenance
            faults.append(Fault(fault.message, ".".join(path), origin.file, origin.line(path), fault.hint))
    if faults:
        raise ConfigError(faults)
    return found


def _named(config: GatewayConfig) -> Iterator[tuple[str, str, Function | None]]:
    for name, pool in config.pools.items():
        if pool.balance.kind == "python":
            yield name, pool.balance.spec["callable"], pool.balance.function


def _unfit(function: Function, name: str) -> Fault | None:
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004
        return Fault(f'"{name}" is an async function, which a pick cannot await', hint="write a plain function")
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return Fault(f'"{name}" does not take a request and its candidates', hint="write function(request, candidates)")
    except ValueError:
        return None  # a function of C that does not say what it takes
    return None


def _broken(name: str, error: BaseException) -> Fault:
    """Say where in the user's own code it happened."""
    if isinstance(error, SyntaxError):
        return Fault(f'"{name}" cannot be imported: {error.msg}', hint=f"see {error.filename}:{error.lineno}")
    what = "".join(traceback.format_exception_only(error)).strip()
    ours = str(Path(__file__).parents[1])
    frames = [each for each in traceback.extract_tb(error.__traceback__) if not each.filename.startswith((ours, "<frozen importlib"))]
    place = next((each for each in reversed(frames) if "importlib" not in each.filename), None)
    return Fault(f'"{name}" cannot be imported: {what}', hint=f"see {place.filename}:{place.lineno}" if place else None)
