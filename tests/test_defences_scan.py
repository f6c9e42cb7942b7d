"""SCAn against planted mixtures with a known answer."""

import numpy as np
from defence_cases import case

from spikedoor.defences.detect import Scan
from spikedoor.defences.detect.scan import decompose
from spikedoor.metrics import auroc


def test_both_covariances_are_found_again():
    rng = np.random.default_rng(0)
    between, within = np.diag([9.0, 1.0, 4.0]), np.array([[1, 0.5, 0], [0.5, 2, 0], [0, 0, 0.5]])
    labels = np.repeat(np.arange(400), 6)
    means = rng.multivariate_normal(np.zeros(3), between, 400)
    values = means[labels] + rng.multivariate_normal(np.zeros(3), within, len(labels))
    found = decompose(values, labels)
    assert np.allclose(found.between, between, atol=0.9)
    assert np.allclose(found.within, within, atol=0.15)
    white = found.whitened(values - means[labels])
    assert np.allclose(np.cov(white.T), np.eye(3), atol=0.15)


def test_a_planted_mixture_is_found_and_clean_training_sets_are_left_alone():
    found = case("conversion", "patch", 0.05)
    told = Scan().detect(found.stage, found.defender())
    assert max(told.details["anomaly_index"], key=told.details["anomaly_index"].get) == "0"
    assert auroc(told.scores, found.train.poisoned).value > 0.95
    assert told.flagged[found.train.poisoned].mean() > 0.9
    for seed in range(3):
        clean = case("conversion", rate=0.0, seed=seed)
        assert Scan().detect(clean.stage, clean.defender()).flagged.mean() < 0.06
