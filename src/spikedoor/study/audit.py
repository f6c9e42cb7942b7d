"""Ask every detector of models whether a victim has a backdoor, and weigh what they say."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from spikedoor.defences import DEFENCES, Defender, Detection, ModelDetector
from spikedoor.errors import ConfigError
from spikedoor.metrics import Rate, clean_accuracy, diverged
from spikedoor.progress import bar
from spikedoor.victim import Stage

__all__ = ["Audit", "Finding", "audit", "model_detectors"]

Verdict = Literal["backdoor", "unclear", "nothing found"]


@dataclass(frozen=True, eq=False)
class Finding:
    """What one detector says.

    Args:
        method: Its name.
        detection: Scores by class; None where it cannot work on the model.
        accused: Names of the classes above its threshold, the most suspicious first.
        seconds: Wall-clock.
        refusal: Why it cannot work on the model.
    """

    method: str
    detection: Detection | None
    accused: tuple[str, ...]
    seconds: float
    refusal: str = ""

    def to_dict(self, classes: Sequence[str]) -> dict[str, Any]:
        """Return plain values."""
        made = self.detection
        return {
            "method": self.method,
            "accused": list(self.accused),
            "threshold": None if made is None else made.threshold,
            "scores": None
            if made is None
            else dict(zip(classes, map(float, made.scores), strict=True)),
            "details": {} if made is None else made.details,
            "seconds": self.seconds,
            "refusal": self.refusal,
        }


@dataclass(frozen=True, eq=False)
class Audit:
    """What all detectors say of a stage.

    Args:
        classes: Names of the classes.
        findings: One for each method.
        clean_accuracy: How often the stage is right about the defender's clean samples.
    """

    classes: tuple[str, ...]
    findings: tuple[Finding, ...]
    clean_accuracy: Rate

    @property
    def at_chance(self) -> bool:
        """Whether the stage knows next to nothing of the data, so that the verdict says nothing."""
        return diverged(self.clean_accuracy, len(self.classes))

    @property
    def asked(self) -> int:
        """Number of methods that could work on the model."""
        return sum(finding.detection is not None for finding in self.findings)

    @property
    def accused(self) -> dict[str, int]:
        """Number of methods that accuse each class, the most first; the others are left out."""
        votes = Counter(name for finding in self.findings for name in finding.accused)
        return dict(votes.most_common())

    @property
    def verdict(self) -> Verdict:
        """Backdoor where two methods or more accuse one class, unclear where only one does.

        That two must agree is our choice: each method accuses some clean models.
        """
        most = max(self.accused.values(), default=0)
        return "backdoor" if most > 1 else "unclear" if most else "nothing found"


def model_detectors() -> list[ModelDetector]:
    """Return every registered detector of models, with its own settings."""
    members = (DEFENCES[name] for name in DEFENCES.names())
    return [cast(ModelDetector, cls()) for cls in members if issubclass(cls, ModelDetector)]


def audit(
    stage: Stage, defender: Defender, methods: Sequence[ModelDetector] | None = None
) -> Audit:
    """Ask detectors of models about a stage.

    Args:
        stage: The stage; it stays as it is.
        defender: Has clean samples.
        methods: Which detectors; all by default.
    """
    found = []
    chosen = model_detectors() if methods is None else list(methods)
    classes = stage.blueprint.classes
    said = stage.predict(defender.clean, defender.seed, title=None)[-1]
    accuracy = clean_accuracy(said, defender.clean.labels)
    with bar("audit", len(chosen)) as advance:
        for method in chosen:
            start = time.perf_counter()
            try:
                made = method.detect(stage, defender)
            except ConfigError as error:
                spent = time.perf_counter() - start
                found.append(Finding(method.name, None, (), spent, str(error)))
            else:
                worst = sorted(range(len(classes)), key=lambda k: -made.scores[k])
                accused = tuple(classes[k] for k in worst if made.flagged[k])
                found.append(Finding(method.name, made, accused, time.perf_counter() - start))
            advance(note=method.name)
    return Audit(classes, tuple(found), accuracy)
