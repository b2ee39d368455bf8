"""The base of every table of the schema: all faults at once, in Forebay's words.

Pydantic validates the keys of a table one by one; what holds *between* keys is said by `_faults`, which reads what was written, not
what was made of it, so that one bad key hides no other fault. Both are reported together, from the innermost table outwards, each
with the path of its key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails

from forebay.config.words import Found, Path, found_of, line_error, path_text, translate
from forebay.errors import ConfigError, Fault


class Table(BaseModel):
    """A table of the configuration. Making one from Python raises ConfigError with every fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    short: ClassVar[str | None] = None
    """The key that a plain value in the place of the table stands for."""
    example: ClassVar[str] = ""
    """How the table is written, for the fault of something else standing in its place."""

    def __init__(self, /, **keys: object) -> None:
        try:
            self.__pydantic_validator__.validate_python(keys, self_instance=self)
        except ValidationError as error:
            found = found_of(error, keys)
            raise ConfigError(Fault(message, path_text(self._place(path)), hint=hint) for path, message, hint in found) from None

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - passed on to Pydantic
        super().__init_subclass__(**options)
        # Says to Pydantic that tables inside tables need not pass through a constructor: their faults join those of the outer one.
        cls.__init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def _place(cls, path: Path) -> Path:
        """The path of a key as a file has it."""
        return path

    @classmethod
    def _faults(cls, written: Mapping[str, Any]) -> Iterable[Found]:
        """Faults between the keys of a table as it was written; to be overridden."""
        del written
        return ()

    @model_validator(mode="wrap")
    @classmethod
    def _every_fault(cls, written: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401
        if isinstance(written, cls):
            return handler(written)
        if cls.short is not None and not isinstance(written, Mapping):
            written = {cls.short: written}
        found: list[InitErrorDetails] = []
        made: Self | None = None
        try:
            made = handler(written)
        except ValidationError as error:
            found += [translate(each, cls.model_fields, cls.example) for each in error.errors(include_url=False)]
        if isinstance(written, Mapping):
            found += [line_error(*each) for each in cls._faults(written)]
        if found or made is None:
            raise ValidationError.from_exception_data(cls.__name__, found)
        return made

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        table = handler(core_schema)
        if cls.short is None:
            return table
        inner = handler.resolve_ref_schema(table)
        whole = dict(inner)
        inner.clear()
        inner.update({"anyOf": [{"type": "string"}, whole], "title": cls.__name__})
        return table
