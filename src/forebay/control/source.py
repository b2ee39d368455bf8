"""Where a gateway was declared: a TOML file, or an attribute of a module; to be read again while it runs."""

import importlib
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from forebay.config.load import load
from forebay.config.schema import GatewayConfig
from forebay.errors import ConfigError, Fault

_ATTRIBUTE = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<attribute>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")


@dataclass(frozen=True)
class Source:
    """A TOML file (`module` is empty), or `module:attribute` in the file at `path`. `text` is what the user called it."""

    text: str
    path: Path
    module: str = ""
    attribute: str = ""

    @property
    def name(self) -> str:
        """What the state directory is called."""
        return f"{self.module}.{self.attribute}" if self.module else self.path.stem

    @contextmanager
    def read(self, *, keep: bool = True) -> Iterator[GatewayConfig]:
        """Read it again; a module is executed again too, but not what it imports. The old module is back when the block fails, and without
        `keep`.

        Raises:
            ConfigError: with every fault.
        """
        if not self.module:
            yield load(self.path)
            return
        old = sys.modules.get(self.module)
        served = False
        try:
            yield _attribute(_executed(self.module, self.text), self.module, self.attribute, self.text)
            served = keep
        finally:
            if old is not None and not served:
                _install(self.module, old)


def find(text: str) -> Source:
    """What `text` names; a file of that very name goes before a module. A module is imported.

    Raises:
        ConfigError: for neither, and for a module that cannot be imported.
    """
    # As for Uvicorn: modules of the current directory are found, whatever started the interpreter. A file may name them too, as policies.
    if os.getcwd() not in sys.path:  # noqa: PTH109 - sys.path holds strings
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - likewise
    named = _ATTRIBUTE.fullmatch(text)
    if named and not Path(text).exists():
        module = _module(named["module"], text)
        return Source(text, Path(module.__file__ or text).absolute(), named["module"], named["attribute"])
    if not Path(text).exists() or text.endswith(".py"):
        raise ConfigError([_no_file(text)])
    return Source(text, Path(text).absolute())


def named(text: str) -> Source:
    """The same without looking whether it is there."""
    found = _ATTRIBUTE.fullmatch(text)
    if found and not Path(text).exists():
        return Source(text, Path(*found["module"].split(".")).with_suffix(".py").absolute(), found["module"], found["attribute"])
    return Source(text, Path(text).absolute())


def imported(source: Source) -> GatewayConfig:
    """The gateway of a module that is imported already.

    Raises:
        ConfigError: when it has none.
    """
    return _attribute(_module(source.module, source.text), source.module, source.attribute, source.text)


def _no_file(text: str) -> Fault:
    if Path(text).exists():
        module = ".".join(Path(text).with_suffix("").parts)
        return Fault("is a Python file, not TOML", file=text, hint=f"name the gateway in it, as {module}:gateway")
    return Fault("cannot be read: No such file or directory", file=text, hint="name a TOML file, or a gateway as MODULE:ATTRIBUTE")


def _attribute(module: ModuleType, module_name: str, path: str, text: str) -> GatewayConfig:
    value: object = module
    for part in path.split("."):
        if not hasattr(value, part):
            found = ", ".join(f"{module_name}:{name}" for name, each in vars(value).items() if isinstance(each, GatewayConfig))
            hint = f"it has {found}" if found else "assign a forebay.Gateway to it"
            raise ConfigError([Fault(f"{text}: the module has no {path}", hint=hint)])
        value = getattr(value, part)
    if not isinstance(value, GatewayConfig):
        raise ConfigError([Fault(f"{text} is no forebay.Gateway, its type is {type(value).__name__}", hint="name one that is")])
    return value


def _module(name: str, text: str) -> ModuleType:
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


def _executed(name: str, text: str) -> ModuleType:
    """A new module from the same file, in the place of the old one."""
    importlib.invalidate_caches()
    spec = importlib.util.find_spec(name) if name not in sys.modules else sys.modules[name].__spec__
    if spec is None or spec.loader is None:
        raise ConfigError([Fault(f"{text}: the module has no file to be read again", hint="start the gateway again")])
    module = importlib.util.module_from_spec(spec)
    old = sys.modules.get(name)
    try:
        _install(name, module)
        loader = spec.loader
        if isinstance(loader, SourceFileLoader):
            # Not from bytecode, which is taken for fresh when a file changes twice within a second.
            path = loader.get_filename(name)
            exec(loader.source_to_code(loader.get_data(path), path), vars(module))  # noqa: S102 - as the loader itself does
        else:
            loader.exec_module(module)
    except BaseException as error:
        if old is not None:
            _install(name, old)
        if isinstance(error, ConfigError) or not isinstance(error, Exception | SystemExit):
            raise
        raise ConfigError([_broken(text, error)]) from None
    return module


def _install(name: str, module: ModuleType) -> None:
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)


def _broken(text: str, error: BaseException) -> Fault:
    """Say where in the user's own code it happened, without the frames of the import machinery and ours."""
    if isinstance(error, SyntaxError):
        return Fault(f"{text} cannot be imported: {error.msg}", file=error.filename, line=error.lineno)
    machinery = ("<frozen importlib", importlib.__file__, __file__)
    frames = [each for each in traceback.extract_tb(error.__traceback__) if not each.filename.startswith(machinery)]
    what = "".join(traceback.format_exception_only(error)).strip()
    place = frames[-1] if frames else None
    return Fault(f"{text} cannot be imported: {what}", file=place.filename if place else None, line=place.lineno if place else None)
