"""Spectral signatures against the definition, and on planted poison."""

import numpy as np
import pytest
from defence_cases import case

from spikedoor.defences import Defender
from spikedoor.defences.detect import SpectralSignatures
from spikedoor.defences.detect.spectral_signatures import signatures
from spikedoor.metrics import auroc


@pytest.mark.parametrize("shape", [(40, 6), (6, 40)])
def test_the_outlyingness_is_that_of_the_singular_vector(shape):
    values = np.random.default_rng(0).normal(2, 1, shape)
    apart = values - values.mean(0)
    v = np.linalg.svd(apart)[2][0]
    assert np.allclose(signatures(values), (apart @ v) ** 2)
    assert np.allclose(signatures(values, centred=False), (values @ v) ** 2)
    assert not np.allclose(signatures(values), signatures(values, centred=False))


def test_all_alike_is_nothing_out_of_the_ordinary():
    assert not signatures(np.ones((5, 3))).any()


def test_the_published_share_of_each_class_is_flagged():
    found = case("conversion", "patch", 0.02)
    told = SpectralSignatures(removed=0.2).detect(found.stage, found.defender())
    labels = found.train.labels
    for label in range(10):
        assert told.flagged[labels == label].mean() == pytest.approx(0.2, abs=0.01)


def test_f8_planted_poison_is_found_by_its_given_label():
    found = case("conversion", "blended", 0.02)
    method = SpectralSignatures(features="activation")
    told = method.detect(found.stage, found.defender())
    poisoned = found.train.poisoned
    assert auroc(told.scores, poisoned).value > 0.85
    assert told.flagged[poisoned].mean() > 0.5
    # By true labels the poison is spread over the classes, and is not told apart as well.
    stripped = Defender(found.defender().clean, found.defender().validation, found.data.train)
    assert method.detect(found.stage, stripped).flagged[poisoned].mean() < 0.5
