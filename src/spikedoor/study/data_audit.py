"""Train a small victim on a data set, and ask detectors which samples look poisoned."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.base import SampleSet, modality_of
from spikedoor.data.source import Inventory
from spikedoor.defences import DataDetector, Defender, Detection
from spikedoor.defences.detect import (
    ActivationClustering,
    Beatrix,
    Scan,
    Separation,
    SpectralSignatures,
)
from spikedoor.errors import ConfigError, DataError
from spikedoor.progress import bar
from spikedoor.rules import Conversion, Rule, Training
from spikedoor.rules.optimisers import Adam
from spikedoor.snn.encoding import Direct as Shown
from spikedoor.snn.encoding import Frames
from spikedoor.snn.networks import Architecture, SmallConv
from spikedoor.victim import Victim

__all__ = ["DataAudit", "audit_data", "small_victim"]

_FEWEST = 8  # samples of a class, below which none of the methods can divide it
_UPDATES, _FEW_EPOCHS, _MANY_EPOCHS, _BATCH = 800, 5, 40, 32


@dataclass(frozen=True, eq=False)
class DataAudit:
    """What detectors say of the samples of a training set.

    Args:
        inventory: The samples and their names.
        detections: Scores of each method by its name: those that name samples, and those that
            second them.
        refused: Why a method could not be asked, by its name.
        trusted: Number of trusted samples; 0 if there were none.
        accuracy: Share of the training labels that the victim gives as well.
        seconds: Wall-clock of the victim, and of all detectors.
    """

    inventory: Inventory
    detections: dict[str, Detection]
    refused: dict[str, str]
    trusted: int
    accuracy: float
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def naming(self) -> dict[str, Detection]:
        """The detections of the methods whose findings are named."""
        return {name: self.detections[name] for name in _NAMING}

    @property
    def labels(self) -> NDArray[np.int64]:
        """Label of each sample."""
        return np.asarray(self.inventory.samples.labels)

    @cached_property
    def votes(self) -> NDArray[np.int64]:
        """Number of methods that flag each sample, int64 [N]."""
        flagged = np.stack([one.flagged for one in self.detections.values()])
        return flagged.sum(0, dtype=np.int64)

    @cached_property
    def suspicious(self) -> NDArray[np.bool_]:
        """Which samples are named, bool [N]: those that a method of `naming` flags."""
        return np.any([one.flagged for one in self.naming.values()], 0)

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """All samples, the worst first, int64 [N].

        The named come first; then more votes; then the higher mean rank over all methods.
        """
        from scipy.stats import rankdata

        ranks = np.mean([rankdata(one.scores) for one in self.detections.values()], 0)
        return np.lexsort((-ranks, -self.votes, ~self.suspicious))

    @property
    def verdict(self) -> Literal["suspicious samples", "nothing found"]:
        """Whether any sample is named."""
        return "suspicious samples" if self.suspicious.any() else "nothing found"

    def by_class(self) -> dict[str, tuple[int, int]]:
        """Return of each class with named samples how many these are, and of how many."""
        found = {}
        for label, name in enumerate(self.inventory.samples.classes):
            members = self.labels == label
            if count := int((self.suspicious & members).sum()):
                found[name] = (count, int(members.sum()))
        return found

    def row(self, index: int) -> dict[str, Any]:
        """Return what is known of a sample, as plain values."""
        return {
            "index": index,
            "name": self.inventory.names[index],
            "class": self.inventory.samples.classes[self.labels[index]],
            "suspicious": bool(self.suspicious[index]),
            "votes": int(self.votes[index]),
            **{name: float(one.scores[index]) for name, one in self.detections.items()},
        }


def small_victim(samples: SampleSet) -> tuple[Architecture, Conversion]:
    """Return a small network and the rule to train it by, for the kind and number of samples.

    The victim is an ANN, converted: on MNIST it parted faint poison further from clean samples
    than one trained with spikes, in less time. Recordings are shown as the mean of their frames,
    which keeps the ANN's accuracy. A set of any size gets some 800 updates, in 5 to 40 epochs.
    """
    steps = -(-len(samples) // _BATCH)
    epochs = min(max(round(_UPDATES / steps), _FEW_EPOCHS), _MANY_EPOCHS)
    training = Training(
        epochs=epochs, batch=_BATCH, optimiser=Adam(lr=2e-3), validation=0.0, keep="last"
    )
    encoding = Shown() if modality_of(samples) == "image" else Frames(constant=True)
    return SmallConv(width=16), Conversion(steps=32, ann=training, encoding=encoding)


def audit_data(
    inventory: Inventory, trusted: Any = None, seed: int = 0, rule: Rule | None = None
) -> DataAudit:
    """Train a small victim on a set, and ask which of its samples look poisoned.

    Args:
        inventory: The samples, and what each is called.
        trusted: Clean samples of the same classes, where there are some: for the methods that
            second. What names samples takes the set itself for mostly clean, by measurement the
            better reference, as it has more samples. Without trusted samples it is so for all,
            and Beatrix, which must know clean samples one by one, is not asked.
        seed: Of everything random.
        rule: How the victim is trained; by default as `small_victim` says.

    Raises:
        ConfigError: If the trusted samples have other classes or another shape.
        DataError: If there are fewer than two classes, or too few samples of one.
    """
    samples = inventory.samples
    _check(samples, trusted)
    network, usual = small_victim(samples)
    start = time.perf_counter()
    victim = (rule or usual).fit(network, samples, seed)
    taught = time.perf_counter()
    detections, refused = _asked(victim, samples, trusted, seed)
    answers = victim.final.predict(samples, seed)[-1]
    done = time.perf_counter()
    return DataAudit(
        inventory,
        detections,
        refused,
        0 if trusted is None else len(trusted),
        float((answers == np.asarray(samples.labels)).mean()),
        {"victim": taught - start, "detectors": done - taught},
    )


_NAMING: dict[str, tuple[int, Separation]] = {
    "separation": (-1, Separation()),
    "separation-ann": (0, Separation(features="activation")),
    "separation-whole": (0, Separation(dimensions=64, ratio=3.07)),
}
"""Methods that flag next to nothing in clean sets, as measured, by name, each with the stage it is
asked about. The last sees the ANN before its activation, in all dimensions of the hidden layer:
rare poison varies too little to be among the first, and conversion blurs what an ANN has learned of
events."""
_SAMPLES = 8  # for each dimension; with fewer, what whitens the samples follows them too closely
_SECONDING: Sequence[DataDetector] = (Scan(), ActivationClustering(), SpectralSignatures())
"""Flag some of most clean sets, so that they only second and rank."""
_KNOWING: Sequence[DataDetector] = (Beatrix(),)
"""The same, and they must know clean samples one by one."""


def _asked(
    victim: Victim, samples: Any, trusted: Any, seed: int
) -> tuple[dict[str, Detection], dict[str, str]]:
    """Return what methods find, and why others could not be asked."""
    found: dict[str, Detection] = {}
    refused: dict[str, str] = {}
    itself = Defender(samples, samples, samples, seed)
    defender = itself if trusted is None else Defender(trusted, trusted, samples, seed)
    others = [*_SECONDING, *(() if trusted is None else _KNOWING)]
    most = max(len(samples) // _SAMPLES, 1)
    with bar("detectors", len(_NAMING) + len(others)) as advance:
        for name, (place, usual) in _NAMING.items():
            method = usual.model_copy(update={"dimensions": min(usual.dimensions, most)})
            found[name] = method.detect(victim.stages[place], itself)
            advance(note=name)
        for method in others:
            try:
                found[method.name] = method.detect(victim.final, defender)
            except ConfigError as error:
                refused[method.name] = str(error)
            advance(note=method.name)
    if trusted is None:
        refused |= {m.name: "needs trusted samples, and there are none" for m in _KNOWING}
    return found, refused


def _check(samples: Any, trusted: Any) -> None:
    counts = np.bincount(np.asarray(samples.labels), minlength=len(samples.classes))
    if len(samples.classes) < 2:
        raise DataError(
            f"{samples.name}: expected two classes or more to train on, found one, "
            f"'{samples.classes[0]}'"
        )
    if counts.min() < _FEWEST:
        name = samples.classes[int(counts.argmin())]
        raise DataError(
            f"{samples.name}: expected {_FEWEST} samples of each class or more, found "
            f"{counts.min()} of '{name}'"
        )
    if trusted is None:
        return
    if (trusted.classes, trusted.shape) != (samples.classes, samples.shape):
        raise ConfigError(
            f"trusted samples: expected the {len(samples.classes)} classes and the shape "
            f"{list(samples.shape)} of the data, got {len(trusted.classes)} classes "
            f"({', '.join(trusted.classes[:5])}...) and {list(trusted.shape)}"
        )
