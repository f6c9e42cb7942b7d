"""Residual networks of SpikingJelly, wrapped as they are: what audit and repair make of them.

    python studies/wrapped_models.py [--seeds 3] [--table docs/results/wrapped-models.csv]

Trains networks that `from_module` cannot translate (studies/foreign/residual_mnist.py) on clean
images and on images with a patch, asks every detector of models about them, and repairs them. One
row of the table for each network.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from foreign import residual_mnist
from foreign.networks import dataset, prepared, tensors
from foreign_models import write_table
from torch import nn

from spikedoor.data.base import SampleSet
from spikedoor.defences import Defender, Eliminator
from spikedoor.defences.eliminate import FinePruning, FineTuning
from spikedoor.metrics import attack_success, clean_accuracy
from spikedoor.progress import bar
from spikedoor.study.audit import audit, model_detectors
from spikedoor.victim import Stage, wrap_module

CLEAN = 0.1  # share of the training images that the defender has
ATTACK = "patch"
REPAIRS: dict[str, Eliminator] = {"fine_tuning": FineTuning(), "fine_pruning": FinePruning()}
COLUMNS = (
    "attack", "seed", "same_answers", "clean_accuracy", "attack_success",
    *(method.name for method in model_detectors()), "verdict", "accused", "cpu_seconds",
    *(f"{name}_{what}" for name in REPAIRS for what in ("accuracy", "success", "cpu_seconds")),
)  # fmt: skip


def network(attack: str, seed: int) -> nn.Module:
    """Train a network in its own library."""
    train: SampleSet = dataset().train
    if attack != "clean":
        train = prepared(seed)[attack].poison(train, seed)
    return residual_mnist.fit(*tensors(train), seed)


def row(attack: str, seed: int) -> dict[str, Any]:
    """Return what is found of one network."""
    data, net = dataset(), network(attack, seed)
    stage = wrap_module(net, (1, 28, 28), data.train.classes, residual_mnist.STEPS).final
    theirs = residual_mnist.predict(net, tensors(data.test)[0]).numpy()
    same = theirs == stage.predict(data.test)[-1]
    defender = Defender.of(data.train, CLEAN)
    start = time.process_time()
    found = audit(stage, defender)
    line = {
        "attack": attack,
        "seed": seed,
        "same_answers": f"{same.mean():.4f}",
        **dict(zip(("clean_accuracy", "attack_success"), scores(stage, seed), strict=True)),
        **{one.method: _told(one.accused, one.refusal) for one in found.findings},
        "verdict": found.verdict,
        "accused": "+".join(found.accused),
        "cpu_seconds": f"{time.process_time() - start:.1f}",
    }
    for name, method in REPAIRS.items():
        start = time.process_time()
        repaired = method.repair(stage, defender)
        spent = f"{time.process_time() - start:.1f}"
        cells = *scores(repaired, seed), spent
        kinds = f"{name}_accuracy", f"{name}_success", f"{name}_cpu_seconds"
        line.update(zip(kinds, cells, strict=True))
    return line


def _told(accused: tuple[str, ...], refusal: str) -> str:
    return "refused" if refusal else "+".join(accused) or "none"


def scores(stage: Stage, seed: int) -> tuple[str, str]:
    """Return clean accuracy and ASR; of a clean network, how often it is fooled."""
    test = dataset().test
    challenge = prepared(seed)[ATTACK].challenge(test)
    labels = np.asarray(test.labels)
    success = attack_success(stage.predict(challenge)[-1], challenge.true_labels, challenge.targets)
    return f"{clean_accuracy(stage.predict(test)[-1], labels).value:.4f}", f"{success.value:.4f}"


def main() -> None:
    """Write the table, after each network again."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--table", type=Path, default=Path("docs/results/wrapped-models.csv"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    lines: list[dict[str, Any]] = []
    with bar("networks", 2 * given.seeds) as advance:
        for seed in range(given.seeds):
            for attack in ("clean", ATTACK):
                lines.append(row(attack, seed))
                write_table(given.table, COLUMNS, lines)
                advance()


if __name__ == "__main__":
    main()
