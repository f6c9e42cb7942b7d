"""A component is its own configuration: a frozen model whose fields are the hyper-parameters."""

from __future__ import annotations

import inspect
from contextvars import ContextVar
from typing import Any, ClassVar, Self, cast, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from spikedoor.errors import ConfigError, hint
from spikedoor.registry import Card, Family, explainable

__all__ = ["Component", "explain"]

_OPEN: ContextVar[tuple[Family, ...]] = ContextVar(
    "families whose schema is being made", default=()
)


def _is_family_base(cls: type[BaseModel]) -> bool:
    return "family" in cls.__dict__


def _named(cls: type[Component], value: Any) -> Any:
    """Give a member's table its name, so that a table with and without it reads the same."""
    return {"name": cls.name, **value} if isinstance(value, dict) else value


def _member_schema(member: type[Component], handler: GetJsonSchemaHandler) -> JsonSchemaValue:
    """Return a member's schema with its name as one more key."""
    schema = dict(handler.resolve_ref_schema(handler(member.__pydantic_core_schema__)))
    schema["properties"] = {"name": {"const": member.name}, **schema.get("properties", {})}
    schema["required"] = ["name", *schema.get("required", [])]
    return schema


class _OneLineErrors(type(BaseModel)):
    """Make ``Patch(size="x")`` raise a `ConfigError` in place of pydantic's report."""

    def __call__(cls, *args: Any, **fields: Any) -> Any:
        try:
            return super().__call__(*args, **fields)
        except ValidationError as error:
            raise explain(error, cast("type[BaseModel]", cls), fields) from None


class Component(BaseModel, metaclass=_OneLineErrors):
    """Base of everything that can be named in a TOML file.

    A *family base* (a direct subclass that sets ``family``) is an interface: as a field type it
    accepts any member, given as an instance, a name, or a table ``{ name = ..., field = ... }``.
    A *member* is a registered, final subclass with one public method that does the work.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    family: ClassVar[Family]
    name: ClassVar[str] = ""
    card: ClassVar[Card] = Card()

    @model_validator(mode="before")
    @classmethod
    def _default_names(cls, value: Any) -> Any:
        """Let a table without a name mean the default member, as in ``trigger.size = 4``."""
        if not isinstance(value, dict):
            return value
        filled = dict(value)
        for key, field in cls.model_fields.items():
            given, default = value.get(key), field.default
            if isinstance(given, dict) and isinstance(default, Component) and default.name:
                filled[key] = {"name": default.name, **given}
        return filled

    @classmethod
    def summary(cls) -> str:
        """Return the first line of the docstring."""
        return (inspect.getdoc(cls) or "").split("\n", 1)[0]

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain values, ``name`` first; `from_dict` reads it back."""
        fields: dict[str, Any] = {}
        for key in type(self).model_fields:
            fields[key] = _plain(getattr(self, key))
        return {"name": self.name, **fields} if self.name else fields

    @classmethod
    def from_dict(cls, value: Any) -> Self:
        """Make a component from plain values.

        Raises:
            ConfigError: Naming the key, what was expected, what came, and what is near.
        """
        try:
            if getattr(cls, "family", None) is not None and isinstance(value, (dict, str)):
                made = cls.family.parse(value if _is_family_base(cls) else _named(cls, value))
            else:
                made = cls.model_validate(value)
        except ValidationError as error:
            raise explain(error, cls, value) from None
        if not isinstance(made, cls):
            raise ConfigError(f"expected the {cls.family.kind} '{cls.name}', got '{made.name}'")
        return made

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        if not _is_family_base(cls):
            return handler(schema)
        names, open_ = cls.family.names(), _OPEN.get()
        if cls.family in open_:  # a member that holds another of its family
            named = {"name": {"enum": names}}
            return {"type": "object", "properties": named, "required": ["name"]}
        token = _OPEN.set((*open_, cls.family))
        try:
            return {"anyOf": [_member_schema(cls.family[name], handler) for name in names]}
        finally:
            _OPEN.reset(token)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if not _is_family_base(cls):
            return handler(source)
        return core_schema.no_info_plain_validator_function(
            cls.family.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda member: member.to_dict()
            ),
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Component):
        return value.to_dict()
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)


def explain(error: ValidationError, model: type[BaseModel], value: Any = None) -> ConfigError:
    """Put a pydantic error into one line a finding: where, what was expected, what is near."""
    lines = []
    for location, text in explainable(error):
        path = ".".join(str(part) for part in location)
        if text == "unknown key":
            text += hint(str(location[-1]), _fields_at(model, location[:-1], value))
        lines.append(f"{path}: {text}" if path else text)
    prefix = f"{model.name}: " if issubclass(model, Component) and model.name else ""
    return ConfigError(prefix + "; ".join(lines))


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...], value: Any) -> list[str]:
    """Return the field names of the (possibly nested) component that a location points into."""
    current: Any = _member_of(model, value)
    for part in path:
        try:
            value = value[part]
        except (LookupError, TypeError):
            return []
        if isinstance(part, str):
            field = getattr(current, "model_fields", {}).get(part)
            current = _component_in(field.annotation) if field else None
        current = _member_of(current, value)
    return list(getattr(current, "model_fields", ()))


def _component_in(annotation: Any) -> Any:
    """Return the component class in an annotation such as ``tuple[Trigger, ...] | None``."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _component_in(arg))), None)


def _member_of(cls: Any, value: Any) -> Any:
    """Return the member that a table names, where the class is a family's base."""
    if not (inspect.isclass(cls) and issubclass(cls, Component) and _is_family_base(cls)):
        return cls
    name = value.get("name") if isinstance(value, dict) else None
    return cls.family[name] if name in cls.family.names() else cls
