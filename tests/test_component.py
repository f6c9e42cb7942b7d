"""Components: configuration that is checked, written and read back, and registered by name."""

import json
import sys
import types
from abc import abstractmethod
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Literal, final

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from spikedoor import registry
from spikedoor.component import Component
from spikedoor.errors import ConfigError
from spikedoor.registry import Card, Family

SHAPES = Family("shape", home=__name__)
PAINTS = Family("paint", home=__name__)


class Paint(Component):
    """What covers a shape."""

    family = PAINTS

    @abstractmethod
    def cost(self) -> float: ...


@final
@PAINTS.register("oil", "Van Eyck 1434", "https://example.org/oil")
class Oil(Paint):
    """Oil paint. It dries slowly.

    More about it.
    """

    layers: int = Field(1, ge=1, le=5)
    """Number of coats."""

    def cost(self) -> float:
        return 2.0 * self.layers


@final
@PAINTS.register("chalk")
class Chalk(Paint):
    """Chalk."""

    def cost(self) -> float:
        return 0.5


class Shape(Component):
    """A shape."""

    family = SHAPES

    paint: Paint = Oil()
    """What covers it."""
    undercoats: tuple[Paint, ...] = ()
    """What is below."""

    @abstractmethod
    def area(self) -> float: ...


@final
@SHAPES.register("square")
class Square(Shape):
    """A square."""

    side: float = Field(1.0, gt=0)
    """Side in metres."""
    corners: Literal["sharp", "round"] = "sharp"
    """Form of the corners."""
    holes: tuple[tuple[int, int], ...] = ()
    """Places of holes."""

    def area(self) -> float:
        return self.side**2


@final
@SHAPES.register("window")
class Window(Shape):
    """A window, in a frame."""

    file: Path
    """Where its picture is."""
    frame: Paint | None = None
    """Paint of the frame."""

    def area(self) -> float:
        return 1.0


class Order(Component):
    """A component of no family."""

    shape: Shape = Square()
    """What is ordered."""
    count: int = Field(1, ge=1)
    """How many."""


class TestPlainValues:
    @pytest.mark.parametrize(
        ("component", "plain"),
        [
            (Oil(layers=2), {"name": "oil", "layers": 2}),
            (Chalk(), {"name": "chalk"}),
            (
                Square(paint=Chalk(), undercoats=(Oil(), Chalk()), holes=((1, 2), (3, 4))),
                {
                    "name": "square",
                    "paint": {"name": "chalk"},
                    "undercoats": [{"name": "oil", "layers": 1}, {"name": "chalk"}],
                    "side": 1.0,
                    "corners": "sharp",
                    "holes": [[1, 2], [3, 4]],
                },
            ),
            (
                Window(file=Path("a/b.png")),
                {
                    "name": "window",
                    "paint": {"name": "oil", "layers": 1},
                    "undercoats": [],
                    "file": "a/b.png",
                    "frame": None,
                },
            ),
        ],
        ids=lambda value: value.name if isinstance(value, Component) else "",
    )
    def test_by_hand_and_back(self, component, plain):
        assert component.to_dict() == plain
        assert next(iter(plain)) == "name"
        read = json.loads(json.dumps(plain))
        assert type(component).from_dict(read) == component
        assert type(component).family.parse(read) == component

    def test_of_a_component_without_family_have_no_name(self):
        order = Order(shape=Square(side=2), count=3)
        plain = order.to_dict()
        assert "name" not in plain
        assert plain["shape"]["side"] == 2.0
        assert Order.from_dict(plain) == order

    @pytest.mark.parametrize(
        ("value", "made"),
        [
            ("square", Square()),
            ({"name": "square", "side": 3}, Square(side=3)),
            ({"name": "square", "paint": "chalk"}, Square(paint=Chalk())),
            ({"name": "square", "paint": Chalk()}, Square(paint=Chalk())),
        ],
    )
    def test_shorthands(self, value, made):
        assert Shape.from_dict(value) == made
        assert Order(shape=value).shape == made
        assert Order.from_dict({"shape": value}).shape == made

    def test_a_members_own_table_may_leave_the_name_out(self):
        assert Square.from_dict({"side": 2}) == Square.from_dict({"name": "square", "side": 2})
        assert Square.from_dict({}) == Square.from_dict("square") == Square()

    @pytest.mark.parametrize("value", ["oil", {"name": "oil"}, {"name": "oil", "layers": 2}])
    def test_a_member_is_not_made_from_the_table_of_another(self, value):
        with pytest.raises(ConfigError):
            Chalk.from_dict(value)

    def test_the_value_given_is_left_alone(self):
        value = {"name": "square", "paint": {"name": "oil", "layers": 2}}
        before = json.dumps(value)
        Shape.from_dict(value)
        Square.from_dict(value)
        assert json.dumps(value) == before


class TestErrors:
    @pytest.mark.parametrize(
        ("model", "value", "message"),
        [
            (Oil, {"layers": 9}, "oil: layers: input should be less than or equal to 5, got 9"),
            (Oil, {"layrs": 2}, "oil: layrs: unknown key; did you mean 'layers'?"),
            (Chalk, {"layers": 2}, "chalk: layers: unknown key"),
            (Paint, "oyl", "unknown paint 'oyl'; did you mean 'oil'?"),
            (
                Paint,
                "zzz",
                "unknown paint 'zzz'; known: chalk, oil; one of your own comes with --plugin FILE",
            ),
            (Paint, {"layers": 1}, "a paint needs a 'name'; known: chalk, oil"),
            (Paint, {"name": 5}, "a paint needs a 'name'; known: chalk, oil"),
            (Paint, {"name": "oil", "layrs": 2}, "layrs: unknown key; did you mean 'layers'?"),
            (Paint, 5, "expected a paint (a name or a table with 'name'), got 5"),
            (Paint, None, "expected a paint (a name or a table with 'name'), got None"),
            (Paint, ["oil"], "expected a paint (a name or a table with 'name'), got ['oil']"),
            (
                Square,
                {"corners": "blunt"},
                "square: corners: input should be 'sharp' or 'round', got 'blunt'",
            ),
            (
                Square,
                {"paint": {"name": "oil", "layrs": 2}},
                "square: paint.layrs: unknown key; did you mean 'layers'?",
            ),
            (Square, {"paint": "oyl"}, "square: paint: unknown paint 'oyl'; did you mean 'oil'?"),
            (
                Order,
                {"shape": {"name": "square", "paint": {"name": "oil", "layrs": 2}}},
                "shape.paint.layrs: unknown key; did you mean 'layers'?",
            ),
            (
                Order,
                {"shape": {"name": "square", "sid": 2}, "count": 0},
                "shape.sid: unknown key; did you mean 'side'?; "
                "count: input should be greater than or equal to 1, got 0",
            ),
            (Order, {"contents": 1}, "contents: unknown key; did you mean 'count'?"),
            (Order, {"zzz": 1}, "zzz: unknown key; known: count, shape"),
            (
                Square,
                {"undercoats": ["oil", {"name": "oil", "layrs": 2}]},
                "square: undercoats.1.layrs: unknown key; did you mean 'layers'?",
            ),
            (
                Window,
                {"file": "a", "frame": {"name": "oil", "layrs": 2}},
                "window: frame.layrs: unknown key; did you mean 'layers'?",
            ),
        ],
    )
    def test_say_where_what_and_what_is_near(self, model, value, message):
        with pytest.raises(ConfigError) as caught:
            model.from_dict(value)
        assert str(caught.value) == message

    def test_of_a_call_are_the_same(self):
        with pytest.raises(ConfigError, match=r"oil: layers: .* got 9"):
            Oil(layers=9)
        with pytest.raises(ConfigError, match=r"oil: layrs: unknown key; did you mean 'layers'\?"):
            Oil(layrs=1)
        with pytest.raises(ConfigError, match=r"square: paint: unknown paint 'oyl'"):
            Square(paint="oyl")

    def test_name_a_missing_field(self):
        with pytest.raises(ConfigError, match="window: file: field required"):
            Window()

    def test_a_member_of_another_family_is_refused(self):
        with pytest.raises(ConfigError, match=r"square: paint: expected a paint .*, got Square"):
            Square(paint=Square())
        with pytest.raises(ConfigError, match=r"expected a paint .*, got Order"):
            PAINTS.parse(Order())

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_numbers_are_finite(self, value):
        with pytest.raises(ConfigError, match=r"side: .*finite"):
            Square(side=value)

    def test_are_one_line(self):
        with pytest.raises(ConfigError) as caught:
            Order.from_dict({"shape": {"name": "square", "side": "x", "cornrs": 1}, "count": "y"})
        assert "\n" not in str(caught.value)
        assert str(caught.value).count("; ") >= 2

    def test_do_not_show_pydantic(self):
        with pytest.raises(ConfigError) as caught:
            Oil(layers=9)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


class TestValues:
    def test_are_frozen(self):
        with pytest.raises(ValidationError, match="frozen"):
            Oil().layers = 2

    def test_compare_and_hash_by_content(self):
        assert Oil(layers=2) == Oil(layers=2) != Oil()
        assert len({Square(), Square(side=1.0), Square(side=2.0)}) == 2
        assert Oil() != Chalk()

    def test_an_interface_cannot_be_made(self):
        with pytest.raises(TypeError, match="abstract"):
            Paint()

    def test_the_first_line_of_the_docstring_is_the_summary(self):
        assert Oil.summary() == "Oil paint. It dries slowly."


class TestSchema:
    def test_of_a_family_lists_its_members_with_their_names(self):
        options = TypeAdapter(Paint).json_schema()["anyOf"]
        assert [option["properties"]["name"] for option in options] == [
            {"const": "chalk"},
            {"const": "oil"},
        ]
        assert [option["required"] for option in options] == [["name"], ["name"]]
        assert options[1]["properties"]["layers"] == {
            "default": 1,
            "description": "Number of coats.",
            "maximum": 5,
            "minimum": 1,
            "title": "Layers",
            "type": "integer",
        }

    def test_of_a_component_holds_those_of_its_parts(self):
        options = Order.model_json_schema()["properties"]["shape"]["anyOf"]
        names = [option["properties"]["name"]["const"] for option in options]
        assert names == ["square", "window"]
        assert options[1]["required"] == ["name", "file"]

    def test_of_a_family_whose_member_holds_a_component_of_no_family(self):
        baskets = Family("basket", home=__name__)

        class Basket(Component):
            """A basket."""

            family = baskets

        @baskets.register("full")
        class Full(Basket):
            """A full one."""

            order: Order = Order()
            """What is in it."""

        class Shop(BaseModel):
            basket: Basket

        del Full
        schema = Shop.model_json_schema()
        text = json.dumps(schema)
        for part in text.split('"$ref": "#/')[1:]:
            at = schema
            for key in part.split('"')[0].split("/"):
                at = at[key]


class TestFamily:
    def family(self) -> Family:
        return Family("toy", home=__name__)

    def test_a_name_is_taken_once(self):
        toys = self.family()
        toys.register("ball")(type("Ball", (Component,), {"__doc__": "A ball."}))
        with pytest.raises(ConfigError, match="toy 'ball' is registered already"):
            toys.register("ball")(type("Other", (Component,), {"__doc__": "Another."}))

    def test_names_are_sorted(self):
        assert PAINTS.names() == ["chalk", "oil"]
        assert PAINTS["oil"] is Oil

    def test_an_unknown_name_gives_a_hint(self):
        with pytest.raises(ConfigError, match=r"unknown paint 'oill'; did you mean 'oil'\?"):
            PAINTS["oill"]

    def test_registering_sets_name_and_card(self):
        assert (Oil.name, Oil.card) == ("oil", Card("Van Eyck 1434", "https://example.org/oil"))
        assert Chalk.card == Card()

    def test_the_home_is_imported_on_first_use(self, monkeypatch):
        loaded = []
        monkeypatch.setattr(registry, "import_module", loaded.append)
        toys = Family("toy", home="some.home")
        assert loaded == []
        assert toys.names() == toys.names() == []
        assert loaded == ["some.home"]

    def test_third_parties_join_by_entry_point(self, monkeypatch):
        toys = self.family()
        plugin = types.ModuleType("toy_plugin")
        exec(
            "from spikedoor.component import Component\n"
            "def join(toys):\n"
            "    @toys.register('top', 'Me 2026')\n"
            "    class Top(Component):\n"
            "        '''A top.'''\n"
            "        speed: int = 1\n",
            plugin.__dict__,
        )
        monkeypatch.setitem(sys.modules, "toy_plugin", plugin)

        class Point(EntryPoint):
            def load(self):
                super().load().join(toys)

        asked = []

        def points(group):
            asked.append(group)
            return [Point("top", "toy_plugin", group)]

        monkeypatch.setattr(registry, "entry_points", points)
        assert toys.names() == ["top"]
        assert asked == ["spikedoor.toy"]
        assert toys.parse({"name": "top", "speed": 3}).to_dict() == {"name": "top", "speed": 3}


def test_a_table_without_a_name_means_the_default_member():
    from spikedoor.attack import Attack, Patch

    assert Attack.from_dict({"trigger": {"size": 4}}).trigger == Patch(size=4)
    assert Attack.from_dict({"target": {"label": 3}}).target == Attack(target=3).target
