"""For tests of detectors of inputs: inputs without labels, and a victim on recordings."""

from functools import cache

import numpy as np
from defence_cases import Case
from event_cases import bands

from spikedoor.attack import Attack, EventStatic
from spikedoor.data.base import Dataset
from spikedoor.data.strata import spread
from spikedoor.defences import Detection
from spikedoor.defences.inputs import Inputs
from spikedoor.metrics import auroc
from spikedoor.rules import Direct, Training
from spikedoor.rules.optimisers import Adam, Constant
from spikedoor.snn.encoding import Frames
from spikedoor.snn.networks import SmallConv

HOW = Training(epochs=6, batch=32, optimiser=Adam(lr=1e-2), schedule=Constant(), validation=0.0)


def shown(of: Case, samples: int = 200) -> Inputs:
    """Clean test samples, and after them triggered ones; asking for a label raises."""
    first, second = of.data.test, of.triggered
    return Inputs(first, second, (spread(len(first), samples), spread(len(second), samples)))


def clean_only(of: Case, indices: np.ndarray) -> Inputs:
    """Clean training samples."""
    data = of.data.train
    return Inputs(data, data, (indices, np.zeros(0, np.int64)))


def separation(found: Detection, inputs: Inputs) -> float:
    """Area under the curve, of triggered inputs against clean ones."""
    return auroc(found.scores, inputs.from_second).value


@cache
def event_case(rate: float = 0.1) -> Case:
    """Train a victim on recordings; a rate of 0 gives a clean one. Nobody may change it."""
    data = Dataset("bands", bands(480), bands(150, seed=1), {})
    attack = Attack(trigger=EventStatic(size=2, rate=100), target=0, rate=rate)
    attack = attack.prepare(data.train, 0)
    poisoned = attack.poison(data.train, 0)
    rule = Direct(steps=4, encoding=Frames(), training=HOW)
    return Case(rule.fit(SmallConv(width=4, pool="avg"), poisoned, 0), data, poisoned, attack)
