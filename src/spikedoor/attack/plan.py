"""Which training samples carry the trigger: a fixed, saved index set."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from spikedoor.attack.labels import Labels
from spikedoor.errors import DataError, MissingDataError
from spikedoor.files import read_plain, write_file

__all__ = ["PoisonPlan", "poison_count"]

_MAX_BYTES = 1 << 26


@dataclass(frozen=True, eq=False)
class PoisonPlan:
    """The samples to poison, the labels they get, and the cover samples, which keep theirs.

    Args:
        indices: int64 [P], sorted, each once.
        targets: int64 [P], the new label of each.
        total: Size of the training set.
        rate: The share asked for; P = floor(rate * total).
        seed: The seed the samples were drawn with.
        cover: int64 [Q], sorted, each once, none of them poisoned.
        cover_rate: The share of cover samples asked for; Q = floor(cover_rate * total).

    Raises:
        DataError: If these do not agree with each other.
    """

    indices: Labels = field(repr=False)
    targets: Labels = field(repr=False)
    total: int
    rate: float
    seed: int
    cover: Labels = field(default_factory=lambda: np.empty(0, np.int64), repr=False)
    cover_rate: float = 0.0

    def __post_init__(self) -> None:
        for name in ("indices", "targets", "cover"):
            values = np.array(getattr(self, name), dtype=np.int64)
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        self._check_samples("", self.indices, self.rate)
        self._check_samples("cover ", self.cover, self.cover_rate)
        if self.targets.shape != self.indices.shape:
            wrong = f"expected {self.count} labels, got {self.targets.size}"
        elif (self.targets < 0).any():
            wrong = "a label is negative"
        elif np.isin(self.cover, self.indices).any():
            wrong = "a cover sample is poisoned as well"
        else:
            return
        raise DataError(f"poison plan: {wrong}")

    def _check_samples(self, kind: str, indices: Labels, rate: float) -> None:
        if not 0 <= rate <= 1:
            raise DataError(f"poison plan: {kind}rate is not from 0 to 1, got {rate!r}")
        expected = poison_count(rate, self.total)
        if indices.shape != (expected,):
            wrong = f"expected {expected} {kind}indices, got {indices.size}"
        elif (np.diff(indices) <= 0).any():
            wrong = f"{kind}indices are not sorted, or one comes twice"
        elif expected and (indices[0] < 0 or indices[-1] >= self.total):
            wrong = f"one of the {kind}indices lies outside 0 to {self.total - 1}"
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

    @property
    def cover_count(self) -> int:
        """Number of cover samples."""
        return len(self.cover)

    @property
    def cover_set_rate(self) -> float:
        """Cover samples / all samples of the training set (0 for an empty set)."""
        return self.cover_count / self.total if self.total else 0.0

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
            "cover": self.cover.tolist(),
            "cover_rate": self.cover_rate,
        }

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Make a plan from plain values, and check every one of them.

        A plan without "cover" and "cover_rate" has no cover samples.

        Raises:
            DataError: Naming what is wrong.
        """
        keys = ("total", "rate", "seed", "count", "indices", "targets")
        values = {"cover": [], "cover_rate": 0.0, **value} if isinstance(value, dict) else {}
        if sorted(values) != sorted((*keys, "cover", "cover_rate")):
            found = sorted(value) if isinstance(value, dict) else type(value).__name__
            raise DataError(f"poison plan: expected the keys {', '.join(keys)}, got {found}")
        for key in ("total", "seed", "count"):
            if not _is_count(values[key]):
                raise DataError(f"poison plan: {key} is not a whole number, got {values[key]!r}")
        for key in ("indices", "targets", "cover"):
            if not isinstance(values[key], list) or not all(map(_is_count, values[key])):
                raise DataError(f"poison plan: {key} is not a list of whole numbers")
        for key in ("rate", "cover_rate"):
            if isinstance(values[key], bool) or not isinstance(values[key], (int, float)):
                raise DataError(f"poison plan: {key} is not a number, got {values[key]!r}")
        count = values.pop("count")
        if count != len(values["indices"]):
            raise DataError(
                f"poison plan: count is {count}, but {len(values['indices'])} are listed"
            )
        return cls(**values)

    def save(self, path: str | Path) -> None:
        """Write the plan as JSON; a reader finds the old file or the whole new one.

        Raises:
            OutputError: If it cannot be written.
        """
        write_file(path, json.dumps(self.to_json()).encode())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a saved plan.

        Raises:
            MissingDataError: If there is no such file.
            DataError: If it is not a plan, or one that has been changed.
        """
        try:
            return cls.from_json(json.loads(read_plain(Path(path), _MAX_BYTES, follow=True)))
        except FileNotFoundError:
            raise MissingDataError(f"no poison plan at {path}") from None
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"cannot read poison plan {path}: {error}") from None
        except DataError as error:
            raise DataError(f"{path}: {error}") from None


def poison_count(rate: float, total: int) -> int:
    """Return floor(rate * total); 0.29 * 100 is 29, whatever binary fractions make of it."""
    return math.floor(rate * total + 1e-9)


def _is_count(value: Any) -> bool:
    is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return is_whole and 0 <= int(value) < 2**63
