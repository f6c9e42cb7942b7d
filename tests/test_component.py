"""Components: configuration that is checked, written and read back."""

import json
from pathlib import Path

import pytest
from component_cases import PAINTS, Chalk, Oil, Order, Paint, Shape, Square, Window
from pydantic import BaseModel, TypeAdapter, ValidationError

from spikedoor.component import Component
from spikedoor.errors import ConfigError
from spikedoor.registry import Family


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


def test_a_table_without_a_name_means_the_default_member():
    from spikedoor.attack import Attack, Patch

    assert Attack.from_dict({"trigger": {"size": 4}}).trigger == Patch(size=4)
    assert Attack.from_dict({"target": {"label": 3}}).target == Attack(target=3).target
