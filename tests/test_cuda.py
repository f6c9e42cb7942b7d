"""On a GPU everything works as on the CPU: rules, neurons, encodings and defences."""

import copy

import numpy as np
import pytest
import torch
from test_contract_defences import made

from spikedoor.defences import DEFENCES
from spikedoor.rules import ANN, Conversion, Direct, Hybrid
from spikedoor.snn.encoding import ENCODINGS
from spikedoor.snn.neurons import NEURONS
from spikedoor.testing.parts import BRIEF, NETWORK, defender, victim
from spikedoor.testing.samples import poisoned, stripes

DEVICE = "cuda"
RULES = {
    "ann": ANN(training=BRIEF),
    "direct": Direct(steps=4, training=BRIEF),
    "conversion": Conversion(ann=BRIEF, steps=8),
    "hybrid": Hybrid(ann=BRIEF, finetune=BRIEF, steps=4),
    **{
        f"neuron {n}": Direct(steps=4, training=BRIEF, neuron=NEURONS[n]()) for n in NEURONS.names()
    },
    "poisson": Direct(steps=4, training=BRIEF, encoding=ENCODINGS["poisson"]()),
}

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@pytest.mark.parametrize("name", RULES)
def test_a_rule_trains_there_and_answers_alike_on_both(name):
    trained = RULES[name].fit(NETWORK, poisoned(stripes()), seed=0, device=DEVICE).final
    assert trained.device.type == DEVICE
    if name != "poisson":  # whose spikes are drawn on the device
        here = copy.deepcopy(trained).to("cpu")
        same = trained.predict(stripes(seed=1))[-1] == here.predict(stripes(seed=1))[-1]
        assert np.mean(same) > 0.95


@pytest.mark.parametrize("name", DEFENCES.names())
def test_a_defence_works_there(name):
    stage = copy.deepcopy(victim()).to(DEVICE)
    method = made(name)
    if method.task == "eliminate":
        assert method.repair(stage, defender()).device.type == DEVICE
    else:
        shown = (stripes(seed=1),) if method.task == "input" else ()
        assert np.isfinite(method.detect(stage, defender(), *shown).scores).all()
