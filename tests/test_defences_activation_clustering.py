"""Activation clustering on clusters with a known answer, and on planted poison."""

import numpy as np
from defence_cases import case

from spikedoor.defences.detect import ActivationClustering
from spikedoor.metrics import auroc


def test_the_smaller_of_two_planted_clusters_is_found():
    rng = np.random.default_rng(0)
    inside = rng.random(300) < 0.3
    values = rng.normal(size=(300, 20)).astype(np.float32)
    values[inside, :3] += 8
    found = ActivationClustering()._divided(values, 0, 0)
    assert np.array_equal(found, inside)


def test_too_few_or_equal_samples_are_not_divided():
    method = ActivationClustering()
    assert method._divided(np.zeros((2, 5), np.float32), 0, 0) is None
    assert method._divided(np.ones((9, 5), np.float32), 0, 0) is None


def test_poison_that_is_a_third_of_a_class_is_found_and_scored_by_its_share():
    found = case("conversion", "patch", 0.05)
    told = ActivationClustering().detect(found.stage, found.defender())
    poisoned = found.train.poisoned
    assert auroc(told.scores, poisoned).value > 0.85
    assert told.flagged[poisoned].mean() > 0.75
    share = told.details["smaller_share"]["0"]
    of_target = told.scores[found.train.labels == 0]
    assert set(np.round(of_target, 9)) == {0.0, round(1 - 2 * share, 9)}


def test_clean_classes_are_seldom_flagged():
    flagged = [
        ActivationClustering().detect(c.stage, c.defender()).flagged.mean()
        for c in (case(rule, rate=0.0) for rule in ("direct", "conversion", "hybrid"))
    ]
    assert np.mean(flagged) < 0.1
