"""What every component keeps: its name, its words, and the way into a file and back."""

from __future__ import annotations

import json
import math
from typing import Any

from spikedoor.component import Component
from spikedoor.testing.expect import Check, instance, refused, run, that

__all__ = ["CHECKS", "base_of", "check_component", "check_references"]


def base_of(cls: type[Component]) -> type[Component]:
    """Return the base of the family that a class belongs to."""
    return next(one for one in cls.__mro__ if "family" in one.__dict__ and one is not Component)


def named_and_final(member: Component) -> None:
    """It is registered under a lower-case name, and its class is final."""
    cls = type(member)
    that(cls.name, "it has no name; use @FAMILY.register(NAME)")
    that(cls.family[cls.name] is cls, f"another class is registered as '{cls.name}'")
    plain = cls.name == cls.name.lower() and cls.name.replace("-", "").isalnum()
    that(plain, "expected lower-case letters, digits and hyphens in the name")
    that(getattr(cls, "__final__", False), f"mark {cls.__qualname__} with @typing.final")


def plain_to_read(member: Component) -> None:
    """It says in its own words what it is, and what each field means."""
    cls = type(member)
    summary = cls.summary()
    that(summary, "the class has no docstring")
    that(summary != base_of(cls).summary(), "the docstring is its family's")
    that(
        summary.endswith((".", ":", "``")),
        f"the docstring's first line is no sentence that ends on it: {summary!r}",
    )
    missing = [key for key, field in cls.model_fields.items() if not field.description]
    that(not missing, f"no docstring below {', '.join(missing)}")


def card_is_whole(member: Component) -> None:
    """A source comes with a link to read it, and a link with its source."""
    card = member.card
    that(bool(card.source) == bool(card.link), f"got source {card.source!r}, link {card.link!r}")
    that(not card.link or card.link.startswith("https://"), f"no https link: {card.link!r}")


def survives_a_file(member: Component) -> None:
    """Its configuration goes into JSON and back by all roads."""
    cls = type(member)
    plain = member.to_dict()
    that(next(iter(plain)) == "name", "the first key is not the name")
    that(plain["name"] == cls.name, f"named {plain['name']!r}")
    that(set(plain) == {"name", *cls.model_fields}, f"keys {sorted(plain)} are not its fields")
    read = json.loads(json.dumps(plain, allow_nan=False))
    for reader in (cls.family.parse, base_of(cls).from_dict, cls.from_dict):
        again = reader(read)
        that(type(again) is cls, f"came back as {type(again).__name__}")
        that(again == member, f"came back as {again!r}, was {member!r}")
    that(hash(cls.from_dict(read)) == hash(member), "came back with another hash")


def name_alone_is_the_default(member: Component) -> None:
    """Its name alone stands for its default fields, or says which field is missing."""
    cls = type(member)
    if any(field.is_required() for field in cls.model_fields.values()):
        with refused("the name alone", "field required"):
            base_of(cls).from_dict(cls.name)
    else:
        that(base_of(cls).from_dict(cls.name) == cls(), "it is another component")


def unknown_keys_are_refused(member: Component) -> None:
    """A key that it does not have is refused, with a hint to the near one."""
    cls = type(member)
    fields = list(cls.model_fields)
    wrong = f"{fields[-1]}x" if fields else "anything"
    expected = f"{wrong}: unknown key" + (f"; did you mean '{fields[-1]}'" if fields else "")
    given = {key: getattr(member, key) for key in fields}
    with refused(f"the key '{wrong}' in a table", expected):
        base_of(cls).from_dict({**member.to_dict(), wrong: 1})
    with refused(f"the argument '{wrong}'", f"{cls.name}: {expected}"):
        cls(**given, **{wrong: 1})


def numbers_are_finite(member: Component) -> None:
    """Numbers that are not finite are refused by name."""
    plain = member.to_dict()
    for key in [key for key, value in plain.items() if isinstance(value, float)]:
        for value in (math.nan, math.inf):
            with refused(f"{key} = {value}", key):
                base_of(type(member)).from_dict({**plain, key: value})


def schema_builds(member: Component) -> None:
    """Its JSON schema names its fields and refers to nothing that is not there."""
    cls = type(member)
    schema = cls.model_json_schema()
    that(set(schema.get("properties", {})) == set(cls.model_fields), "other keys than its fields")
    that(schema["additionalProperties"] is False, "it allows unknown keys")
    check_references(schema)
    json.dumps(schema, allow_nan=False)


CHECKS: tuple[Check, ...] = (
    named_and_final,
    plain_to_read,
    card_is_whole,
    survives_a_file,
    name_alone_is_the_default,
    unknown_keys_are_refused,
    numbers_are_finite,
    schema_builds,
)


def check_component(member: Component | type[Component]) -> None:
    """Check what components of all families keep; the checks of a family do so too.

    Args:
        member: A component, or its class if it has no field without a default.

    Raises:
        AssertionError: Naming what it breaks.
    """
    run(CHECKS, instance(member, Component))


def check_references(schema: dict[str, Any]) -> None:
    """Follow every reference of a JSON schema."""

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                at: Any = schema
                for key in value["$ref"].removeprefix("#/").split("/"):
                    that(key in at, f"the schema refers to {value['$ref']}, which is not there")
                    at = at[key]
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(schema)
