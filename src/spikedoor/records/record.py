"""What a run leaves behind: enough to make every table and figure again without training."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.npz import parse_npz_arrays
from spikedoor.errors import DataError, MissingDataError, reason
from spikedoor.evaluation import Evaluation
from spikedoor.files import missed, npz, read_plain, write_bytes
from spikedoor.metrics import Answers

__all__ = ["SCHEMA", "Gallery", "Record"]

SCHEMA = 1
_JSON, _ARRAYS = "record.json", "record.npz"
_MAX_JSON, _MAX_ARRAYS = 1 << 26, 1 << 30
_DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, eq=False)
class Gallery:
    """A few test samples, clean and triggered.

    Shapes:
        clean, triggered: uint8 [M, C, H, W]. labels: int64 [M], the true ones.
    """

    clean: NDArray[np.uint8]
    triggered: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Record:
    """One run.

    Args:
        experiment: The resolved configuration, as plain values; with the environment it repeats
            the run.
        environment: Versions, processor, threads, and "plugins": the SHA-256 of the files of others
            that the experiment needs, by path.
        data: Name, sizes and checksums of the data set.
        poison: Count, set rate and class rate of the poisoned samples.
        stages: By stage of the victim: steps, and the notes of its training or conversion.
        twin_stages: The same of the clean twin.
        evaluation: Predictions and scores.
        gallery: Some samples to look at.
        activity: By spiking stage and by "clean" and "triggered": the firing rate over the first t
            steps for every t, in spikes a neuron and step, and over all steps for each layer; on
            some of the test samples. Empty in records of before it was kept.
        defence: What a detector found: "plan", its configuration; "stage", which it looked at; and
            "measures", each with value, low, high and count. Empty without a detector; a repaired
            stage is one of the stages.
        created: UTC time of the end of the run, ISO 8601.
    """

    experiment: dict[str, Any]
    environment: dict[str, Any]
    data: dict[str, Any]
    poison: dict[str, Any]
    stages: dict[str, Any]
    evaluation: Evaluation
    gallery: Gallery
    created: str
    twin_stages: dict[str, Any] = field(default_factory=dict)
    activity: dict[str, Any] = field(default_factory=dict)
    defence: dict[str, Any] = field(default_factory=dict)

    @property
    def rule(self) -> str:
        """Name of the learning rule."""
        return self.experiment["rule"]["name"]

    @property
    def plugins(self) -> dict[str, str]:
        """SHA-256 of each file of others' code that the run was made with, by path.

        Empty in records of before it was kept.
        """
        found = self.environment.get("plugins")
        return {str(f): str(code) for f, code in found.items()} if isinstance(found, dict) else {}

    def to_json(self) -> dict[str, Any]:
        """Return the readable part: everything but the arrays, with the scores worked out."""
        found = self.evaluation
        return {
            "schema": SCHEMA,
            "created": self.created,
            "experiment": self.experiment,
            "environment": self.environment,
            "data": self.data,
            "poison": self.poison,
            "classes": list(found.classes),
            "stages": _finite(self.stages),
            "twin_stages": _finite(self.twin_stages),
            "activity": self.activity,
            "defence": self.defence,
            "scores": {
                stage: {
                    "victim": [s.to_dict() for s in found.by_step(stage)],
                    "twin": twin.to_dict() if (twin := found.twin_scores(stage)) else None,
                }
                for stage in found.stages
            },
        }

    def write(self, folder: Path) -> None:
        """Write ``record.json`` and ``record.npz`` into an existing folder."""
        write_bytes(folder / _ARRAYS, npz(self._arrays()))
        text = json.dumps(self.to_json(), indent=1, allow_nan=False)
        write_bytes(folder / _JSON, text.encode())

    def _arrays(self) -> dict[str, Any]:
        found = self.evaluation
        arrays: dict[str, Any] = {"labels": found.labels, "targets": found.targets}
        for owner, answers in (("victim", found.answers), ("twin", found.twin)):
            for stage, said in answers.items():
                arrays[f"{owner}/{stage}/clean"] = said.clean.astype(np.int16)
                arrays[f"{owner}/{stage}/triggered"] = said.triggered.astype(np.int16)
        for name in ("clean", "triggered", "labels"):
            arrays[f"gallery/{name}"] = getattr(self.gallery, name)
        return arrays

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read a record.

        Raises:
            MissingDataError: If there is none in the folder.
            DataError: If it is damaged, or of another schema.
        """
        folder = Path(folder)
        if not (folder / _JSON).is_file():
            wanted = f"a folder that 'spikedoor run' has made, with {_JSON}"
            raise MissingDataError(missed(folder, wanted))
        try:
            plain = json.loads(read_plain(folder / _JSON, _MAX_JSON))
            if plain["schema"] != SCHEMA:
                raise DataError(
                    f"{folder}: record of schema {plain['schema']}, this version reads {SCHEMA}"
                )
            content = read_plain(folder / _ARRAYS, _MAX_ARRAYS)
            what = f"{folder}: the record is damaged ({_ARRAYS})"
            arrays = parse_npz_arrays(content, what, _MAX_ARRAYS)
            evaluation, gallery = _evaluation(plain, arrays), _gallery(arrays)
            return cls(
                plain["experiment"],
                plain["environment"],
                plain["data"],
                plain["poison"],
                plain["stages"],
                evaluation,
                gallery,
                plain["created"],
                plain["twin_stages"],
                plain.get("activity", {}),
                plain.get("defence", {}),
            )
        except _DAMAGE as error:
            raise DataError(f"{folder}: the record is damaged ({reason(error)})") from error


def _finite(value: Any) -> Any:
    """Return plain values with null for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _evaluation(plain: dict[str, Any], arrays: Mapping[str, Any]) -> Evaluation:
    def answers(owner: str, stages: dict[str, Any]) -> dict[str, Answers]:
        return {
            stage: Answers(
                arrays[f"{owner}/{stage}/clean"].astype(np.int64),
                arrays[f"{owner}/{stage}/triggered"].astype(np.int64),
            )
            for stage in stages
        }

    return Evaluation(
        arrays["labels"],
        arrays["targets"],
        tuple(plain["classes"]),
        answers("victim", plain["stages"]),
        answers("twin", plain["twin_stages"]),
    )


def _gallery(arrays: Mapping[str, Any]) -> Gallery:
    return Gallery(arrays["gallery/clean"], arrays["gallery/triggered"], arrays["gallery/labels"])
