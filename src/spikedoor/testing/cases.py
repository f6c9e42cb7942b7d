"""Victims with a planted backdoor, and clean ones, on digits: each trained once a session."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from spikedoor.attack import Attack
from spikedoor.attack.poisoned import ChallengeSet, PoisonedSet
from spikedoor.attack.triggers import Blended, Patch
from spikedoor.attack.triggers.base import Trigger
from spikedoor.data import Digits
from spikedoor.data.base import Dataset
from spikedoor.defences import Defender
from spikedoor.metrics import attack_success, clean_accuracy
from spikedoor.rules import Conversion, Direct, Hybrid, Training
from spikedoor.rules.base import Rule
from spikedoor.rules.conversion import Max
from spikedoor.rules.optimisers import Adam
from spikedoor.snn.networks import SmallConv
from spikedoor.victim import Stage, Victim

__all__ = ["Case", "digits", "planted", "weights"]

RuleName = Literal["direct", "conversion", "hybrid"]
TriggerName = Literal["patch", "blended"]

HOW = Training(epochs=12, batch=32, optimiser=Adam(lr=5e-3), validation=0.0, keep="last")
RULES: dict[RuleName, Rule] = {
    "direct": Direct(steps=4, training=HOW),
    "conversion": Conversion(steps=16, ann=HOW, converter=Max(initial=0.5)),
    "hybrid": Hybrid(steps=4, ann=HOW, finetune=HOW.model_copy(update={"epochs": 3})),
}
TRIGGERS: dict[TriggerName, Trigger] = {"patch": Patch(size=2), "blended": Blended(alpha=0.3)}


@dataclass(frozen=True, eq=False)
class Case:
    """A victim with all that tests of defences may want to know about it."""

    victim: Victim
    data: Dataset
    train: PoisonedSet
    attack: Attack

    @property
    def stage(self) -> Stage:
        """The last stage."""
        return self.victim.final

    @property
    def triggered(self) -> ChallengeSet:
        """Triggered test samples that are not of the target class."""
        return self.attack.challenge(self.data.test)

    def defender(self, share: float = 0.2, seed: int = 0) -> Defender:
        """What the defender has: clean samples, and the training set."""
        return Defender.of(self.data.train, share, self.train, seed)

    def accuracy(self, stage: Stage) -> float:
        """Clean test accuracy of a stage."""
        said = stage.predict(self.data.test, title=None)[-1]
        return clean_accuracy(said, self.data.test.labels).value

    def success(self, stage: Stage) -> float:
        """ASR of a stage."""
        shown = self.triggered
        said = stage.predict(shown, title=None)[-1]
        return attack_success(said, shown.true_labels, shown.targets).value


@cache
def digits() -> Dataset:
    """Return the digits, read once."""
    return Digits().load()


@cache
def planted(
    rule: RuleName = "direct",
    trigger: TriggerName = "patch",
    rate: float = 0.1,
    seed: int = 0,
    target: int = 0,
) -> Case:
    """Train a victim with a backdoor on digits, once for equal arguments; nobody may change it.

    Args:
        rule: Learning rule.
        trigger: A 2x2 patch in the corner, or a blended pattern.
        rate: Poison rate; 0 gives a clean victim.
        seed: Of poisoning and training.
        target: Class that triggered samples are given.
    """
    data = digits()
    attack = Attack(trigger=TRIGGERS[trigger], target=target, rate=rate).prepare(data.train, seed)
    poisoned = attack.poison(data.train, seed)
    victim = RULES[rule].fit(SmallConv(width=8, pool="avg"), poisoned, seed)
    return Case(victim, data, poisoned, attack)


def weights(stage: Stage) -> dict[str, np.ndarray]:
    """Return copies of all weights and buffers of a stage."""
    return {name: x.numpy().copy() for name, x in stage.network.state_dict().items()}
