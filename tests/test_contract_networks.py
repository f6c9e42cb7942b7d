"""What every registered architecture keeps; the checks are those of `spikedoor.testing`."""

import pytest

from spikedoor.snn.networks import NETWORKS, Architecture
from spikedoor.testing.networks import CHECKS

# Every variant of our own members, narrow; a third party's with its defaults.
NARROW: dict[str, list[dict[str, object]]] = {
    "small-conv": [{"width": 4}, {"width": 5, "pool": "max"}, {"width": 4, "norm": "tdbn"}],
    "vgg": [{"depth": depth, "width": 0.125} for depth in (5, 9, 11, 16)]
    + [{"depth": 9, "width": 0.125, "pool": "max"}],
    "resnet": [
        {"depth": 18, "width": 0.125},
        {"depth": 20, "width": 0.5},
        {"depth": 18, "width": 0.125, "norm": "tdbn"},
    ],
    "preact-resnet": [{"width": 0.125}, {"width": 0.125, "norm": "tdbn"}],
    "badnet": [{"width": 4}, {"width": 5, "centre": True}],
}
PLANS = {
    " ".join([name, *map(str, fields.values())]): Architecture.from_dict({"name": name, **fields})
    for name in NETWORKS.names()
    for fields in NARROW.get(name, [{}])
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("plan", PLANS)
def test_network(plan, check):
    check(PLANS[plan])
