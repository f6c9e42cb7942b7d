"""The exported suites catch what is broken, and say how."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import spikedoor
from spikedoor import testing
from spikedoor.attack import Patch
from spikedoor.data import Digits
from spikedoor.defences.detect import ActivationClustering
from spikedoor.defences.eliminate import CLP
from spikedoor.rules import Direct
from spikedoor.rules.conversion import Max
from spikedoor.snn.encoding import Poisson
from spikedoor.snn.neurons import IF
from spikedoor.snn.readout import MeanCurrent
from spikedoor.testing import (
    converters,
    defences,
    encodings,
    neurons,
    readouts,
    rules,
    sources,
    triggers,
)
from spikedoor.testing.expect import run


class InPlace(Patch):
    def apply(self, images):
        images[:, :, 0, 0] = 255
        return images


class BeyondItsMask(Patch):
    def mask(self, shape):
        return np.zeros(shape, dtype=np.bool_)


class OtherEachTime(Patch):
    def apply(self, images):
        marked = super().apply(images)
        return marked ^ np.random.default_rng().integers(0, 256, marked.shape, dtype=np.uint8)


class ChangesTheANN(Max):
    def convert(self, ann, batches, steps):
        with torch.no_grad():
            next(ann.parameters()).add_(1)
        return super().convert(ann, batches, steps)


class IgnoresItsSeed(Direct):
    def fit(self, network, data, seed=0, device="cpu", ann=None):
        return super().fit(network, data, 0, device, ann)


class Unexplained(CLP):
    """Prunes."""


class Unseeded(ActivationClustering):
    def detect(self, stage, defender):
        found = super().detect(stage, defender)
        noise = np.random.standard_normal(len(found.scores))  # noqa: NPY002
        return type(found)(found.scores + noise, found.threshold)


class GivesBackWhatItGot(CLP):
    def repair(self, stage, defender):
        return stage


class GlobalPoisson(Poisson):
    def encode(self, inputs, steps, generator):
        return super().encode(inputs, steps, torch.default_generator)


class LooksAhead(MeanCurrent):
    def scores(self, currents):
        return currents.mean(0).expand_as(currents).clone()


class Lively(IF):
    def build(self):
        layer = super().build()
        layer.initial.fill_(2.0)
        return layer


class Reshuffled(Digits):
    def _load(self, root):
        data = super()._load(root)
        order = np.random.default_rng().permutation(len(data.train))
        return type(data)(data.name, data.train.subset(order), data.test, data.checksums)


BROKEN = [
    (InPlace, triggers.IMAGE, "read-only.*leaves its input as it was"),
    (BeyondItsMask, triggers.IMAGE, "only what its mask covers.*: 9 values outside of it"),
    (OtherEachTime, triggers.IMAGE, "in every call.*: a second call"),
    (ChangesTheANN, converters.CHECKS, "the weights of small-conv were changed"),
    (IgnoresItsSeed, rules.CHECKS, "another seed gives the same weights"),
    (Unexplained, defences.ELIMINATOR, "no Needs:, no Looks at:, no Fails:"),
    (Unseeded, defences.DETECTOR, "NumPy's global generator was used"),
    (GivesBackWhatItGot, defences.ELIMINATOR, "shares weights with the stage given"),
    (GlobalPoisson, encodings.CHECKS, "the global generator was used"),
    (LooksAhead, readouts.CHECKS, "not after 1 of 9 steps"),
    (Lively, neurons.CHECKS, "spikes with hard reset"),
    (Reshuffled, sources.CHECKS, "other labels|other samples"),
]


@pytest.mark.parametrize(
    ("cls", "checks", "reason"), BROKEN, ids=[case[0].__name__ for case in BROKEN]
)
def test_what_is_broken_is_named(cls, checks, reason):
    if cls.__doc__ is None:
        cls.__doc__ = cls.__base__.__doc__
    said = []
    for check in checks:
        try:
            run([check], cls())
        except AssertionError as error:
            said.append(str(error))
        except ValueError as error:  # NumPy's, of a write into what cannot be written to
            said.append(f"{error} {error.__notes__}")
    assert re.search(reason, "\n".join(said))
    assert all(f"'{cls.name}'" in line for line in said)


def test_what_is_not_registered_or_of_another_family_is_named():
    with pytest.raises(AssertionError, match=r"trigger 'patch': .*another class is registered as"):
        testing.check_trigger(InPlace)
    with pytest.raises(AssertionError, match="expected a Trigger, got CLP"):
        testing.check_trigger(CLP)
    with pytest.raises(AssertionError, match="expected a detector, got CLP"):
        testing.check_detector(CLP)


def test_public_names_are_there_and_cost_nothing_before_their_use():
    assert all(callable(getattr(testing, name)) for name in testing.__all__)
    code = (
        "import sys, spikedoor.testing as t; before = {'numpy', 'torch'} & set(sys.modules)\n"
        "t.check_trigger; print(sorted(before), 'torch' in sys.modules)"
    )
    source = str(Path(spikedoor.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": source}, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[] False", done.stderr
