"""What a command was given to run or check: a TOML file, or `module:attribute`."""

import importlib
import os
import re
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from forebay.errors import ConfigError, Fault
from forebay.gateway import Gateway

_ATTRIBUTE = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<attribute>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")


@dataclass(frozen=True)
class Target:
    """A gateway as declared, and what its state directory is called."""

    gateway: Gateway
    name: str


def load(text: str) -> Target:
    """The gateway that `text` names; a file of that very name goes before a module.

    Raises:
        ConfigError: with every fault.
    """
    # As for Uvicorn: modules of the current directory are found, whatever started the interpreter. A file may name them too, as policies.
    if os.getcwd() not in sys.path:  # noqa: PTH109 - sys.path holds strings
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - likewise
    named = _ATTRIBUTE.fullmatch(text)
    if named and not Path(text).exists():
        return Target(_attribute(named["module"], named["attribute"], text), f"{named['module']}.{named['attribute']}")
    if not Path(text).exists() or text.endswith(".py"):
        raise ConfigError([_no_file(text)])
    return Target(Gateway.from_file(text), Path(text).stem)


def _no_file(text: str) -> Fault:
    if Path(text).exists():
        module = ".".join(Path(text).with_suffix("").parts)
        return Fault("is a Python file, not TOML", file=text, hint=f"name the gateway in it, as {module}:gateway")
    return Fault("cannot be read: No such file or directory", file=text, hint="name a TOML file, or a gateway as MODULE:ATTRIBUTE")


def _attribute(module_name: str, path: str, text: str) -> Gateway:
    value: object = _module(module_name, text)
    for part in path.split("."):
        if not hasattr(value, part):
            found = ", ".join(f"{module_name}:{name}" for name, each in vars(value).items() if isinstance(each, Gateway))
            hint = f"it has {found}" if found else "assign a forebay.Gateway to it"
            raise ConfigError([Fault(f"{text}: the module has no {path}", hint=hint)])
        value = getattr(value, part)
    if not isinstance(value, Gateway):
        raise ConfigError([Fault(f"{text} is no forebay.Gateway, its type is {type(value).__name__}", hint="name one that is")])
    return value


def _module(name: str, text: str) -> object:
    try:
        return importlib.import_module(name)
    except ConfigError:
        raise  # the module declares a gateway, and the gateway is at fault
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            hint = f"run the command where {name.partition('.')[0]}.py is (this is {Path.cwd()}), or install it"
            raise ConfigError([Fault(f"{text}: there is no module {error.name}", hint=hint)]) from None
        raise ConfigError([_broken(text, error)]) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's own code raises is told, not passed on
        raise ConfigError([_broken(text, error)]) from None


def _broken(text: str, error: BaseException) -> Fault:
    """Say where in the user's own code it happened, without the frames of the import machinery and ours."""
    if isinstance(error, SyntaxError):
        return Fault(f"{text} cannot be imported: {error.msg}", file=error.filename, line=error.lineno)
    machinery = ("<frozen importlib", importlib.__file__, __file__)
    frames = [each for each in traceback.extract_tb(error.__traceback__) if not each.filename.startswith(machinery)]
    what = "".join(traceback.format_exception_only(error)).strip()
    place = frames[-1] if frames else None
    return Fault(f"{text} cannot be imported: {what}", file=place.filename if place else None, line=place.lineno if place else None)
