"""Families: members by name, what is known of each, and how they join."""

import sys
import types
from importlib.metadata import EntryPoint

import pytest
from component_cases import PAINTS, Chalk, Oil

from spikedoor import registry
from spikedoor.component import Component
from spikedoor.errors import ConfigError
from spikedoor.registry import Card, Family


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
