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


def base_of(family: Family) -> type[Component]:
    (base,) = (cls for cls in subclasses(Component) if cls.__dict__.get("family") is family)
    return base


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
        } - {base_of(family) for family in FAMILIES}
        assert leaves == {family[name] for family, name in MEMBERS}

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
    schema = TypeAdapter(base_of(family)).json_schema()
    names = [option["properties"]["name"]["const"] for option in schema["anyOf"]]
    assert names == family.names()
    check_references(schema)


@every_member
class TestMember:
    def test_has_a_good_name_and_a_final_class(self, family, name):
        cls = family[name]
        assert cls.name == name == name.lower()
        assert name.replace("-", "").isalnum()
        assert getattr(cls, "__final__", False)
        assert issubclass(cls, base_of(family))

    def test_is_plain_to_read(self, family, name):
        cls = family[name]
        assert cls.summary()
        assert cls.summary() != base_of(family).summary()
        assert cls.summary().endswith((".", ":", "``"))
        undescribed = [key for key, field in cls.model_fields.items() if not field.description]
        assert undescribed == []

    def test_card_names_source_and_link_together(self, family, name):
        card = family[name].card
        assert bool(card.source) == bool(card.link)
        assert card.link == "" or card.link.startswith("https://")

    def test_round_trip(self, family, name):
        made = make(family, name)
        plain = made.to_dict()
        assert next(iter(plain)) == "name"
        assert plain["name"] == name
        assert set(plain) == {"name", *type(made).model_fields}
        read = json.loads(json.dumps(plain, allow_nan=False))
        for reader in (family.parse, base_of(family).from_dict, type(made).from_dict):
            again = reader(read)
            assert again == made
            assert type(again) is type(made)

    def test_name_alone_is_the_default(self, family, name):
        if (family.kind, name) in REQUIRED:
            with pytest.raises(ConfigError, match="field required"):
                base_of(family).from_dict(name)
        else:
            assert base_of(family).from_dict(name) == family[name]()

    def test_unknown_key_is_refused_with_a_hint(self, family, name):
        fields = list(family[name].model_fields)
        given = REQUIRED.get((family.kind, name), {})
        wrong = f"{fields[-1]}x" if fields else "anything"
        expected = f"{wrong}: unknown key" + (f"; did you mean '{fields[-1]}'" if fields else "")
        with pytest.raises(ConfigError, match=expected):
            base_of(family).from_dict({"name": name, **given, wrong: 1})
        with pytest.raises(ConfigError, match=f"{name}: {expected}"):
            family[name](**given, **{wrong: 1})

    def test_numbers_that_are_not_finite_are_refused(self, family, name):
        numbers = [
            key
            for key, value in make(family, name).to_dict().items()
            if isinstance(value, float) and key != "name"
        ]
        for key in numbers:
            for value in (float("nan"), float("inf")):
                with pytest.raises(ConfigError, match=key):
                    base_of(family).from_dict(
                        {"name": name, **REQUIRED.get((family.kind, name), {}), key: value}
                    )

    def test_schema_builds(self, family, name):
        schema = family[name].model_json_schema()
        assert set(schema.get("properties", {})) == set(family[name].model_fields)
        assert schema["additionalProperties"] is False
        check_references(schema)
        json.dumps(schema, allow_nan=False)

    def test_compares_by_content(self, family, name):
        assert make(family, name) == make(family, name)
        assert hash(make(family, name)) == hash(make(family, name))


def check_references(schema: dict[str, Any]) -> None:
    """Follow every reference of a JSON schema."""

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                at: Any = schema
                for key in value["$ref"].removeprefix("#/").split("/"):
                    at = at[key]
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(schema)


@pytest.mark.parametrize(
    "cls",
    [cls for cls in subclasses(Component) if ours(cls) and not hasattr(cls, "family")],
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
