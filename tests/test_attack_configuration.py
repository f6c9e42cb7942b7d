"""An attack as configuration: from a table, with shorthands, and errors that name the key."""

import pytest

from spikedoor.attack import AllToOne, Attack, Patch
from spikedoor.errors import ConfigError


class TestConfiguration:
    TABLE = {  # noqa: RUF012
        "rate": 0.05,
        "trigger": {"name": "patch", "size": 2},
        "target": {"name": "all-to-one", "label": 1},
    }

    def test_from_a_table(self):
        attack = Attack.from_dict(self.TABLE)
        assert attack == Attack(trigger=Patch(size=2), target=AllToOne(label=1), rate=0.05)
        assert Attack.from_dict(attack.to_dict()) == attack

    @pytest.mark.parametrize("target", [3, "all-to-one", {"name": "all-to-one", "label": 3}])
    def test_shorthands(self, target):
        expected = AllToOne(label=0 if target == "all-to-one" else 3)
        assert Attack.from_dict({"target": target}).target == expected
        assert Attack.from_dict({"trigger": "patch"}).trigger == Patch()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"rate": 1.01}, "rate: .*less than or equal to 1, got 1.01"),
            ({"rate": float("nan")}, "rate: .*finite"),
            ({"target": -1}, "target.label: .*greater than or equal to 0, got -1"),
            ({"target": True}, "target: expected a label-rule"),
            ({"target": "all-to-won"}, "target: unknown label-rule.* did you mean 'all-to-one'"),
            (
                {"trigger": {"name": "ptch"}},
                "trigger: unknown trigger 'ptch'; did you mean 'patch'",
            ),
            ({"trigger": {"name": "patch", "sizee": 1}}, "trigger.sizee: unknown key; .*'size'"),
            ({"candidates": "some"}, "candidates: .*'non-target' or 'target', got 'some'"),
            ({"cover": -0.1}, "cover: .*greater than or equal to 0, got -0.1"),
            ({"rat": 0.1}, "rat: unknown key; did you mean 'rate'"),
        ],
    )
    def test_errors_name_the_key(self, change, message):
        with pytest.raises(ConfigError, match=message):
            Attack.from_dict({**self.TABLE, **change})
