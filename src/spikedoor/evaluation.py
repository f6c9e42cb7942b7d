"""Put a victim and its clean twin to the test: what each stage says of clean and triggered data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spikedoor.attack.attack import Attack
from spikedoor.data.base import SampleSet
from spikedoor.errors import ConfigError, hint
from spikedoor.metrics import Answers, Scores, score

if TYPE_CHECKING:
    from spikedoor.victim import Stage, Victim

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Predictions of all stages, from which every score is computed when asked for.

    Args:
        labels: True labels of the test set [N].
        targets: Label the attacker wants of each sample [N].
        classes: Names of the classes.
        answers: Predictions of each stage of the victim, in order.
        twin: The same of the clean twin, trained without poison on the same seed.
    """

    labels: NDArray[np.int64]
    targets: NDArray[np.int64]
    classes: tuple[str, ...]
    answers: dict[str, Answers]
    twin: dict[str, Answers] = field(default_factory=dict)

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        return tuple(self.answers)

    def scores(self, stage: str, step: int | None = None) -> Scores:
        """Return the victim's scores at a stage after a step, the last by default."""
        return self._score(self.answers, stage, step)

    def twin_scores(self, stage: str, step: int | None = None) -> Scores | None:
        """Return the clean twin's scores, None without a twin.

        Its `attack_success` is the rate at which a clean model takes a triggered sample for the
        target class.
        """
        return self._score(self.twin, stage, step) if self.twin else None

    def by_step(self, stage: str) -> list[Scores]:
        """Return the victim's scores after each step."""
        return [self.scores(stage, t) for t in range(1, self.answers[stage].steps + 1)]

    def _score(self, answers: dict[str, Answers], stage: str, step: int | None) -> Scores:
        if stage not in answers:
            raise ConfigError(f"no stage '{stage}' was evaluated{hint(stage, answers)}")
        ann = answers.get("ann") if stage != "ann" else None
        return score(answers[stage], self.labels, self.targets, len(self.classes), ann, step)


def evaluate(
    victim: Victim | Stage,
    test: SampleSet,
    attack: Attack,
    twin: Victim | Stage | None = None,
    seed: int = 0,
) -> Evaluation:
    """Run every stage of a victim on the test set, untouched and triggered.

    One simulation of T steps gives the predictions after every step up to T.

    Args:
        victim: The victim, or one stage, such as a repair returns.
        test: Test set with true labels; never used before this point.
        attack: The attack, prepared if its trigger has random parts.
        twin: The clean twin of the victim, if there is one.
        seed: Of random encodings.

    Raises:
        ConfigError: If it is no victim, or no attack.
    """
    if not isinstance(attack, Attack):
        raise ConfigError(
            f"expected an attack, got {type(attack).__name__}; Attack(trigger=...) makes one of a "
            "trigger"
        )
    challenge = attack.challenge(test, include_target=True)
    return Evaluation(
        np.asarray(test.labels),
        np.asarray(challenge.targets),
        test.classes,
        _answers(victim, test, challenge, seed),
        _answers(twin, test, challenge, seed) if twin is not None else {},
    )


def _answers(
    asked: Victim | Stage, test: SampleSet, challenge: SampleSet, seed: int
) -> dict[str, Answers]:
    from spikedoor.victim import Stage, Victim

    if not isinstance(asked, Victim | Stage):
        raise ConfigError(
            f"expected a victim or one of its stages, got {type(asked).__name__}; of a torch "
            "module, `from_module` and `wrap_module` of spikedoor.victim make one"
        )
    return {
        stage.name: Answers(
            stage.predict(test, seed, title=f"{stage.name}: clean test"),
            stage.predict(challenge, seed, title=f"{stage.name}: triggered test"),
        )
        for stage in ((asked,) if isinstance(asked, Stage) else asked.stages)
    }
