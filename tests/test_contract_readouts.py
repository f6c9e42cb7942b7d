"""What every readout keeps, and tables made by hand."""

import pytest
import torch

from spikedoor.errors import ConfigError
from spikedoor.snn.neurons import IF, LIF, PLIF
from spikedoor.snn.readout import (
    READOUTS,
    LastMembrane,
    MeanCurrent,
    MeanRate,
    SummedMembrane,
)
from spikedoor.testing.readouts import CHECKS

# One sample, two classes, four steps.
CURRENTS = [[1.0, 0.0], [2.0, 4.0], [-3.0, 0.5], [4.0, 1.5]]

TABLES = [
    (MeanCurrent(), [[1.0, 0.0], [1.5, 2.0], [0.0, 1.5], [1.0, 1.5]]),
    # spikes 1 1 0 1 and 0 1 0 1: IF, hard reset
    (MeanRate(neuron=IF()), [[1, 0], [1, 1 / 2], [2 / 3, 1 / 3], [3 / 4, 1 / 2]]),
    # membranes 1, 2, -3, 1 and 0, 4, 3.5, 4: soft reset keeps what is left over
    (
        MeanRate(neuron=IF(reset="soft", threshold=2.0)),
        # h: 1, 3, -2, 2 -> 0 1 0 1; 0, 4, 2.5, 2 -> 0 1 1 1
        [[0, 0], [1 / 2, 1 / 2], [1 / 3, 2 / 3], [1 / 2, 3 / 4]],
    ),
    # h: 0.5, 1.25, -1.5, 1.25; 0, 2, 0.25, 0.875
    (MeanRate(), [[0, 0], [1 / 2, 1 / 2], [1 / 3, 1 / 3], [1 / 2, 1 / 4]]),
    (LastMembrane(), [[1.0, 0.0], [3.0, 4.0], [0.0, 4.5], [4.0, 6.0]]),
    (LastMembrane(tau=2.0), [[1.0, 0.0], [2.5, 4.0], [-1.75, 2.5], [3.125, 2.75]]),
    (SummedMembrane(), [[1.0, 0.0], [4.0, 4.0], [4.0, 8.5], [8.0, 14.5]]),
    (SummedMembrane(tau=2.0), [[1.0, 0.0], [3.5, 4.0], [1.75, 6.5], [4.875, 9.25]]),
]

READERS = {f"{readout!r}": readout for readout, _ in TABLES} | {
    name: READOUTS[name]() for name in READOUTS.names()
}
READERS["LIF soft"] = MeanRate(neuron=LIF(tau=3.0, reset="soft", v_reset=-0.1))
readers = pytest.mark.parametrize("key", READERS)


def test_a_neuron_that_learns_is_refused():
    with pytest.raises(ConfigError, match="a readout learns nothing"):
        MeanRate(neuron=PLIF())


@pytest.mark.parametrize(("readout", "table"), TABLES, ids=lambda value: repr(value)[:40])
def test_table(readout, table):
    found = readout.scores(torch.tensor(CURRENTS).unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(found, torch.tensor(table, dtype=torch.float32))


def test_every_member_has_a_table():
    assert {readout.name for readout, _ in TABLES} == set(READOUTS.names())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@readers
def test_readout(key, check):
    check(READERS[key])


@pytest.mark.parametrize("model", [LastMembrane, SummedMembrane])
def test_refuses_a_time_constant_of_one_step_or_less(model):
    with pytest.raises(ConfigError, match=f"{model.name}: tau: .*greater than 1, got 1.0"):
        model(tau=1.0)
