"""What every registered component of every family keeps; families are found, not listed."""

import importlib
import inspect
import json
import pkgutil
from typing import Any

import pytest
from pydantic import TypeAdapter

import spikedoor
from spikedoor.component import Component
from spikedoor.errors import ConfigError
from spikedoor.registry import Family
from spikedoor.testing.components import CHECKS, base_of, check_references
from spikedoor.victim.wrapped.network import Wrapped

REQUIRED: dict[tuple[str, str], dict[str, Any]] = {
    ("dataset", "event-folder"): {"path": "recordings", "sensor": [34, 34]},
    ("dataset", "frames"): {"source": "nmnist"},
    ("dataset", "image-folder"): {"path": "pictures"},
}
"""Fields without default, by (family, member), each with a value that is fine."""


def modules() -> list[Any]:
    """Import every module of the package; a leading underscore marks kernels and ``__main__``."""
    walked = pkgutil.walk_packages(spikedoor.__path__, "spikedoor.")
    return [importlib.import_module(info.name) for info in walked if "._" not in info.name]


def families() -> list[Family]:
    """Find every family that a module of the package holds."""
    found = {
        id(value): value
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, Family)
    }
    return sorted(found.values(), key=lambda family: family.kind)


FAMILIES = families()
MEMBERS = [(family, name) for family in FAMILIES for name in family.names()]

every_member = pytest.mark.parametrize(
    ("family", "name"), MEMBERS, ids=[f"{family.kind}-{name}" for family, name in MEMBERS]
)
every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.kind)


def subclasses(cls: type) -> set[type]:
    below = set(cls.__subclasses__())
    return below.union(*map(subclasses, below))


def ours(cls: type) -> bool:
    return cls.__module__.startswith("spikedoor.")


def make(family: Family, name: str) -> Component:
    return family[name](**REQUIRED.get((family.kind, name), {}))


class TestCoverage:
    """The suite itself: nothing that is a component escapes it."""

    def test_families_found_are_those_that_components_belong_to(self):
        of_components = {
            id(cls.family) for cls in subclasses(Component) if ours(cls) and hasattr(cls, "family")
        }
        assert of_components == {id(family) for family in FAMILIES}
        assert len({family.kind for family in FAMILIES}) == len(FAMILIES)

    def test_known_families_are_found(self):
        known = "dataset trigger label-rule encoding network neuron readout surrogate converter"
        known += " rule loss optimiser schedule augmentation defence"
        assert set(known.split()) <= {family.kind for family in FAMILIES}

    def test_every_final_component_of_a_family_is_registered(self):
        leaves = {
            cls
            for cls in subclasses(Component)
            if ours(cls) and hasattr(cls, "family") and not inspect.isabstract(cls)
        } - {base_of(family[family.names()[0]]) for family in FAMILIES}
        # A module of somebody else's, alive, which no file can name.
        assert leaves - {Wrapped} == {family[name] for family, name in MEMBERS}

    def test_every_field_without_default_has_an_example_and_every_example_a_use(self):
        without = {
            (family.kind, name): {
                key for key, field in family[name].model_fields.items() if field.is_required()
            }
            for family, name in MEMBERS
        }
        assert {k: v for k, v in without.items() if v} == {k: set(v) for k, v in REQUIRED.items()}


@every_family
def test_family_is_complete_after_its_home_is_imported(family):
    homes = {family[name].__module__ for name in family.names()}
    assert family.names()
    assert all(home == family.home or home.startswith(f"{family.home}.") for home in homes)


@every_family
def test_family_refuses_an_unknown_name_with_a_hint(family):
    near = family.names()[0]
    with pytest.raises(ConfigError, match=f"unknown {family.kind}.*did you mean"):
        family.parse(near[:-1] + "_" + near[-1])


@every_family
def test_family_schema_builds_and_refers_to_nothing_that_is_not_there(family):
    schema = TypeAdapter(base_of(family[family.names()[0]])).json_schema()
    names = [option["properties"]["name"]["const"] for option in schema["anyOf"]]
    assert names == family.names()
    check_references(schema)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@every_member
def test_member(family, name, check):
    check(make(family, name))


@pytest.mark.parametrize(
    "cls",
    sorted(
        (cls for cls in subclasses(Component) if ours(cls) and not hasattr(cls, "family")),
        key=lambda cls: cls.__qualname__,
    ),
    ids=lambda cls: cls.__name__,
)
def test_components_of_no_family_keep_the_same(cls):
    required = [key for key, field in cls.model_fields.items() if field.is_required()]
    assert cls.summary().endswith(".")
    assert [key for key, field in cls.model_fields.items() if not field.description] == []
    if not required:
        plain = json.loads(json.dumps(cls().to_dict(), allow_nan=False))
        assert cls.from_dict(plain) == cls()
    key = list(cls.model_fields)[-1]
    with pytest.raises(ConfigError, match=f"{key}x: unknown key; did you mean '{key}'"):
        cls.from_dict({f"{key}x": 1})
    check_references(cls.model_json_schema())
