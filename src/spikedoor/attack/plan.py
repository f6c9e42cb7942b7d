"""Which training samples are poisoned: a fixed, saved index set, made without model or images."""

from __future__ import annotations

import json
import math
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args
from uuid import uuid4

import numpy as np

from spikedoor.attack.labels import LabelRule, Labels
from spikedoor.errors import ConfigError, DataError, MissingDataError, OutputError, hint
from spikedoor.rng import generator

__all__ = ["Candidates", "PoisonPlan", "make_plan", "poison_count"]

Candidates = Literal["all", "non-target"]


@dataclass(frozen=True, eq=False)
class PoisonPlan:
    """The samples to poison and the labels they get.

    Args:
        indices: int64 [P], sorted, each once.
        targets: int64 [P], the new label of each.
        total: Size of the training set.
        rate: The share asked for; P = floor(rate * total).
        seed: The seed the samples were drawn with.

    Raises:
        DataError: If these do not agree with each other.
    """

    indices: Labels = field(repr=False)
    targets: Labels = field(repr=False)
    total: int
    rate: float
    seed: int

    def __post_init__(self) -> None:
        for name in ("indices", "targets"):
            values = np.array(getattr(self, name), dtype=np.int64)
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        if not 0 <= self.rate <= 1:
            raise DataError(f"poison plan: rate is not from 0 to 1, got {self.rate!r}")
        expected = poison_count(self.rate, self.total)
        indices, targets = self.indices, self.targets
        if indices.shape != (expected,) or targets.shape != (expected,):
            wrong = f"expected {expected} indices and labels, got {indices.size} and {targets.size}"
        elif (np.diff(indices) <= 0).any():
            wrong = "indices are not sorted, or one comes twice"
        elif expected and (indices[0] < 0 or indices[-1] >= self.total):
            wrong = f"an index lies outside 0 to {self.total - 1}"
        elif (targets < 0).any():
            wrong = "a label is negative"
        else:
            return
        raise DataError(f"poison plan: {wrong}")

    @property
    def count(self) -> int:
        """Number of poisoned samples."""
        return len(self.indices)

    @property
    def set_rate(self) -> float:
        """Poisoned samples / all samples of the training set (0 for an empty set)."""
        return self.count / self.total if self.total else 0.0

    def class_rate(self, labels: Labels) -> dict[int, float]:
        """Return, for each target class, how much of it is poison.

        class_rate[t] = poisoned samples labelled t / all samples labelled t, both counted after
        poisoning: the share a defender meets when looking at one class of the training set.

        Args:
            labels: int64 [total], the true labels.
        """
        after = self.relabel(labels)
        return {
            int(t): float((self.targets == t).sum() / (after == t).sum())
            for t in np.unique(self.targets)
        }

    def relabel(self, labels: Labels) -> Labels:
        """Return the labels after poisoning; the true labels given stay as they were.

        Raises:
            DataError: If there are not ``total`` labels.
        """
        if np.shape(labels) != (self.total,):
            shape = list(np.shape(labels))
            raise DataError(f"poison plan for {self.total} samples, got labels {shape}")
        after = np.array(labels, dtype=np.int64)
        after[self.indices] = self.targets
        return after

    def to_json(self) -> dict[str, Any]:
        """Return plain values; `from_json` reads them back."""
        return {
            "total": self.total,
            "rate": self.rate,
            "seed": self.seed,
            "count": self.count,
            "indices": self.indices.tolist(),
            "targets": self.targets.tolist(),
        }

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Make a plan from plain values, and check every one of them.

        Raises:
            DataError: Naming what is wrong.
        """
        keys = ("total", "rate", "seed", "count", "indices", "targets")
        if not isinstance(value, dict) or sorted(value) != sorted(keys):
            found = sorted(value) if isinstance(value, dict) else type(value).__name__
            raise DataError(f"poison plan: expected the keys {', '.join(keys)}, got {found}")
        for key in ("total", "seed", "count"):
            if not _is_count(value[key]):
                raise DataError(f"poison plan: {key} is not a whole number, got {value[key]!r}")
        for key in ("indices", "targets"):
            if not isinstance(value[key], list) or not all(map(_is_count, value[key])):
                raise DataError(f"poison plan: {key} is not a list of whole numbers")
        if isinstance(value["rate"], bool) or not isinstance(value["rate"], (int, float)):
            raise DataError(f"poison plan: rate is not a number, got {value['rate']!r}")
        if value["count"] != len(value["indices"]):
            raise DataError(
                f"poison plan: count is {value['count']}, but {len(value['indices'])} are listed"
            )
        return cls(**{key: value[key] for key in keys if key != "count"})

    def save(self, path: str | Path) -> None:
        """Write the plan as JSON; a reader finds the old file or the whole new one.

        Raises:
            OutputError: If it cannot be written.
        """
        path = Path(path)
        aside = path.with_name(f".{path.name}.{uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with aside.open("x", encoding="utf-8") as file:
                json.dump(self.to_json(), file)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except OSError as error:
            with suppress(OSError):
                aside.unlink()
            raise OutputError(f"cannot write poison plan {path}: {error.strerror}") from None

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a saved plan.

        Raises:
            MissingDataError: If there is no such file.
            DataError: If it is not a plan, or one that has been changed.
        """
        try:
            return cls.from_json(json.loads(Path(path).read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise MissingDataError(f"no poison plan at {path}") from None
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"cannot read poison plan {path}: {error}") from None
        except DataError as error:
            raise DataError(f"{path}: {error}") from None


def poison_count(rate: float, total: int) -> int:
    """Return floor(rate * total); 0.29 * 100 is 29, whatever binary fractions make of it."""
    return math.floor(rate * total + 1e-9)


def make_plan(
    labels: Labels,
    rate: float,
    rule: LabelRule,
    classes: int,
    seed: int,
    candidates: Candidates = "all",
) -> PoisonPlan:
    """Draw floor(rate * N) samples without replacement, and give them their targets.

    It depends on nothing but its arguments. Plans nest: with all else equal, the samples of a
    smaller rate are among those of a larger one, because both take the head of one permutation.

    Args:
        labels: int64 [N], the true labels of the training set.
        rate: Share of the whole training set, 0 to 1.
        rule: Gives the targets.
        classes: Number of classes.
        seed: Seed of the draw.
        candidates: Draw from ``all`` samples, or from ``non-target`` ones, whose true label
            is not their target.

    Raises:
        ConfigError: If the rate or seed is not valid, or there are too few candidates.
        DataError: If the labels are not a list of classes.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(f"expected integer labels [N], got {labels.dtype} {list(labels.shape)}")
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise DataError(
            f"labels reach from {labels.min()} to {labels.max()}, not 0 to {classes - 1}"
        )
    if not 0 <= rate <= 1:
        raise ConfigError(f"rate: expected a number from 0 to 1, got {rate!r}")
    if not _is_count(seed):
        raise ConfigError(f"seed: expected a whole number from 0 on, got {seed!r}")
    if candidates not in get_args(Candidates):
        raise ConfigError(
            f"unknown candidates '{candidates}'{hint(candidates, get_args(Candidates))}"
        )
    wanted = rule.targets(labels.astype(np.int64), classes)
    pool = np.arange(len(labels)) if candidates == "all" else np.flatnonzero(wanted != labels)
    count = poison_count(rate, len(labels))
    if count > len(pool):
        raise ConfigError(
            f"rate {rate:g} asks for {count} of {len(labels)} samples, but only {len(pool)} are "
            f"candidates ({candidates})"
        )
    chosen = np.sort(generator(seed, "poison plan").permutation(pool)[:count])
    return PoisonPlan(chosen, wanted[chosen], len(labels), float(rate), int(seed))


def _is_count(value: Any) -> bool:
    is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return is_whole and 0 <= int(value) < 2**63
