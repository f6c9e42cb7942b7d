"""The parameters of a component in words, and as TOML."""

from __future__ import annotations

import inspect
import json
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo

from spikedoor.component import Component
from spikedoor.registry import Family

__all__ = ["Parameter", "parameters", "snippet"]

_PLACES = {
    "defence": "defence.method",
    "dataset": "data",
    "trigger": "attack.trigger",
    "label-rule": "attack.target",
    "network": "network",
    "rule": "rule",
    "neuron": "rule.neuron",
    "surrogate": "rule.neuron.surrogate",
    "encoding": "rule.encoding",
    "readout": "rule.readout",
    "converter": "rule.converter",
    "activation": "rule.activation",
    "loss": "rule.loss",
    "optimiser": "rule.training.optimiser",
    "schedule": "rule.training.schedule",
}
_LISTS = {"layer": "network.layers", "augmentation": "rule.training.augment"}
_NONE, _REQUIRED = "none", "required"


class Parameter(NamedTuple):
    """A field of a component; ``key`` is dotted where the field is a table of its own."""

    key: str
    default: str
    kind: str
    description: str


def parameters(cls: type[Component], default: Any = None, prefix: str = "") -> list[Parameter]:
    """Return the fields of a component, those of plain tables last.

    Args:
        cls: The component.
        default: An instance that holds other defaults than the class.
        prefix: What to put before every key.
    """
    schema = cls.model_json_schema()
    here: list[Parameter] = []
    below: list[Parameter] = []
    for key, field in cls.model_fields.items():
        made = _table_of(field)
        value = _default(field) if default is None else getattr(default, key)
        if made is not None:
            below += parameters(made, value, f"{prefix}{key}.")
            continue
        kind = _family_of(field) or _kind(schema["properties"][key], schema.get("$defs", {}))
        description = inspect.cleandoc(field.description or "")
        here.append(Parameter(prefix + key, _toml(value), kind, description))
    return here + below


def snippet(kind: str, cls: type[Component]) -> str:
    """Return TOML that names a member and sets every parameter to its default."""
    place = _PLACES.get(kind)
    head = f"[{place}]" if place else f"[[{_LISTS.get(kind, kind)}]]"
    lines = [head, f"name = {json.dumps(cls.name)}"]
    for one in parameters(cls):
        table, _, key = one.key.rpartition(".")
        if table and f"[{place}.{table}]" not in lines:
            lines += ["", f"[{place}.{table}]"]
        is_set = one.default not in (_NONE, _REQUIRED)
        lines.append(f"{key} = {one.default}" if is_set else f"# {key} = ...  # {one.default}")
    return "\n".join(lines)


def _component(annotation: Any) -> type[Component] | None:
    if inspect.isclass(annotation) and issubclass(annotation, Component):
        return annotation
    return None


def _table_of(field: FieldInfo) -> type[Component] | None:
    """Return the component of a field that always is the same one, such as `Training`."""
    cls = _component(field.annotation)
    return cls if cls is not None and getattr(cls, "family", None) is None else None


def _family_of(field: FieldInfo) -> str:
    """Name the members of a field that takes any of a family, or a list of them."""
    inside = getattr(field.annotation, "__args__", ())
    for annotation in (field.annotation, *inside):
        cls = _component(annotation)
        family: Family | None = getattr(cls, "family", None)
        if family is not None:
            several = "list of " if annotation is not field.annotation else ""
            return f"{several}{family.kind}: {', '.join(family.names())}"
    return ""


def _kind(schema: dict[str, Any], shared: dict[str, Any]) -> str:
    """Put a JSON schema into words: type and range."""
    if "$ref" in schema:
        schema = shared[schema["$ref"].rpartition("/")[2]]
    for key in ("anyOf", "oneOf"):
        if key in schema:
            kinds = [_kind(inner, shared) for inner in schema[key]]
            return " or ".join(dict.fromkeys(kind for kind in kinds if kind != "null"))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if "prefixItems" in schema:
        return f"list of {len(schema['prefixItems'])}, {_kind(schema['prefixItems'][0], shared)}"
    if schema.get("type") == "array":
        inner = _kind(schema.get("items", {}), shared)
        return f"list of ({inner})" if " or " in inner else f"list of {inner}"
    name = schema.get("type", "")
    name = {"boolean": "true | false", "string": "text"}.get(name, name)
    return " ".join(filter(None, [name, _range(schema)]))


def _range(schema: dict[str, Any]) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f"{schema['minimum']:g} to {schema['maximum']:g}"
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    return ", ".join(f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema)


def _default(field: FieldInfo) -> Any:
    return _Required if field.is_required() else field.get_default(call_default_factory=True)


class _Required:
    """Stands for a default that there is not."""


def _toml(value: Any) -> str:
    if value is None or value is _Required:
        return _NONE if value is None else _REQUIRED
    if isinstance(value, Component):
        own = {key: getattr(value, key) for key in type(value).model_fields}
        changed = {
            key: inner
            for key, inner in own.items()
            if inner != _default(type(value).model_fields[key])
        }
        if not changed:
            return json.dumps(value.name)
        fields = ", ".join(f"{key} = {_toml(inner)}" for key, inner in changed.items())
        return f"{{ name = {json.dumps(value.name)}, {fields} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, (int, float)) else json.dumps(str(value))
