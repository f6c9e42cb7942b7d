"""Detectors of training data on the cases that their papers claim: ANNs on MNIST, a white patch.

    python studies/detector_claims.py --seeds 0,1,2 > docs/results/detector-claims.csv

Of 6,000 images, spectral signatures and activation clustering are shown 60 poisoned ones, a tenth
of what carries the target's label, ranked among those that carry it; loss isolation 600, judged by
how much of the 1 % that it isolates is poison. One CSV row a seed.
"""

from __future__ import annotations

import argparse
import math

import spikedoor as sd
from spikedoor.attack import Patch
from spikedoor.data import Mnist
from spikedoor.defences import Defender
from spikedoor.defences.detect import AblIsolation, ActivationClustering, SpectralSignatures
from spikedoor.metrics import auroc
from spikedoor.rules import Conversion, Training
from spikedoor.rules.optimisers import Adam
from spikedoor.snn.networks import SmallConv

COLUMNS = (
    "seed", "clean_accuracy", "attack_success", "spectral_ann", "spectral_converted",
    "clustering_ann", "clustering_converted", "abl_auroc", "abl_isolated",
)  # fmt: skip


def row(seed: int) -> str:
    """Return what the three find, in shares."""
    data = Mnist(train_limit=6000, test_limit=1000).load()
    attack = sd.Attack(trigger=Patch(size=3), target=0, rate=0.01)
    poisoned = attack.poison(data.train, seed)
    training = Training(epochs=4, validation=0.0, optimiser=Adam(lr=2e-3))
    rule = Conversion(ann=training, steps=16)
    victim = rule.fit(SmallConv(width=16, pool="avg"), poisoned, seed)
    scores = sd.evaluate(victim, data.test, attack).scores("ann")
    defender = Defender.of(data.train, 0.05, poisoned, seed)
    labelled = poisoned.labels == attack.target.label
    found = [
        auroc(method.detect(victim[stage], defender).scores[labelled], poisoned.poisoned[labelled])
        for method in (SpectralSignatures(), ActivationClustering())
        for stage in ("ann", "converted")
    ]
    more = sd.Attack(trigger=Patch(size=3), target=0, rate=0.1).poison(data.train, seed)
    isolation = AblIsolation(training=Training(epochs=3, optimiser=Adam(), validation=0.0))
    told = isolation.detect(victim["ann"], Defender.of(data.train, 0.05, more, seed))
    values = [
        scores.clean_accuracy.value,
        scores.attack_success.value if scores.attack_success else math.nan,
        *(area.value for area in found),
        auroc(told.scores, more.poisoned).value,
        more.poisoned[told.flagged].mean(),
    ]
    return ",".join([str(seed), *(f"{value:.4f}" for value in values)])


def main() -> None:
    """Print one row a seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", default="0,1,2", help="seeds, with commas")
    given = parser.parse_args()
    print(",".join(COLUMNS), flush=True)
    for seed in given.seeds.split(","):
        print(row(int(seed)), flush=True)


if __name__ == "__main__":
    main()
