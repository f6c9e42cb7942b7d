"""What every registered converter keeps; the checks are those of `spikedoor.testing`."""

import pytest
from rules_cases import one_thread  # noqa: F401 (a fixture)

from spikedoor.rules.conversion import CONVERTERS
from spikedoor.snn.networks import NETWORKS
from spikedoor.testing.converters import CHECKS
from spikedoor.testing.parts import CONVERTIBLE


def test_every_network_is_tried():
    assert {*CONVERTIBLE, "preact-resnet"} == set(NETWORKS.names())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", CONVERTERS.names())
def test_converter(name, check):
    check(CONVERTERS[name]())
