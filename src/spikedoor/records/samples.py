"""A few test samples at work: recordings as they play, and the output neurons of the victim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.npz import parse_npz_arrays
from spikedoor.errors import DataError, reason
from spikedoor.files import npz, read_plain, write_file
from spikedoor.records.record import Record
from spikedoor.records.traces import Course, OutputTraces, Probed

__all__ = ["Film", "Samples"]

_FILE, _MAX = "samples.npz", 1 << 26
_DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError)
_KINDS, _TRACES = ("clean", "triggered"), ("membrane", "spikes", "current")


@dataclass(frozen=True, eq=False)
class Film:
    """Recordings of an event camera, clean and triggered, as events in equal windows of time.

    Shapes:
        clean, triggered: uint8 [N, T, 2, H, W], events of each polarity, 255 for more.
            labels: int64 [N], the true ones.

    Args:
        window: Microseconds of a frame.
    """

    clean: NDArray[np.uint8]
    triggered: NDArray[np.uint8]
    labels: NDArray[np.int64]
    window: int


@dataclass(frozen=True, eq=False)
class Samples:
    """What a page shows beyond the record; no table or figure of a study needs it.

    Args:
        film: Some recordings; None of images.
        probed: Output neurons of the victim at one sample; None without spiking neurons.
    """

    film: Film | None
    probed: Probed | None

    def write(self, folder: Path) -> None:
        """Write ``samples.npz`` beside a record; nothing where there is nothing to show.

        Raises:
            OutputError: If it cannot be written.
        """
        arrays = (_of_film(self.film) if self.film else {}) | (
            _of_probed(self.probed) if self.probed else {}
        )
        if arrays:
            write_file(folder / _FILE, npz(arrays))

    @classmethod
    def read(cls, folder: str | Path, record: Record) -> Self | None:
        """Read what was written beside a record; None if nothing was.

        Raises:
            DataError: If it is damaged, or of another record.
        """
        path = Path(folder) / _FILE
        if not path.exists() and not path.is_symlink():
            return None
        try:
            arrays = parse_npz_arrays(read_plain(path, _MAX), str(path), _MAX)
            return cls(_film(arrays, record), _probed(arrays, record))
        except _DAMAGE as error:
            raise DataError(f"{path}: the samples are damaged ({reason(error)})") from error


def _of_film(film: Film) -> dict[str, Any]:
    return {f"film/{name}": np.asarray(value) for name, value in vars(film).items()}


def _of_probed(probed: Probed) -> dict[str, Any]:
    arrays: dict[str, Any] = {
        "probe/index": np.int64(probed.index),
        "probe/clean": probed.clean,
        "probe/triggered": probed.triggered,
    }
    for traces in probed.stages:
        here = f"probe/{traces.stage}"
        arrays[f"{here}/threshold"] = np.float64(traces.threshold)
        for kind in _KINDS:
            course: Course = getattr(traces, kind)
            arrays[f"{here}/{kind}/predicted"] = np.int64(course.predicted)
            for name in _TRACES:
                arrays[f"{here}/{kind}/{name}"] = getattr(course, name)
    return arrays


def _film(arrays: Mapping[str, Any], record: Record) -> Film | None:
    if "film/window" not in arrays:
        return None
    clean, triggered = (arrays[f"film/{kind}"] for kind in _KINDS)
    labels, window = arrays["film/labels"], int(arrays["film/window"])
    _check(clean.ndim == 5 and clean.shape[2] == 2 and clean.size > 0, "a film")
    _check(triggered.shape == clean.shape and clean.dtype == triggered.dtype == np.uint8, "a film")
    _check(labels.dtype == np.int64 and labels.shape == clean.shape[:1], "labels")
    classes = len(record.evaluation.classes)
    _check(((labels >= 0) & (labels < classes)).all() and window > 0, "labels and a window")
    return Film(clean, triggered, labels, window)


def _probed(arrays: Mapping[str, Any], record: Record) -> Probed | None:
    if "probe/index" not in arrays:
        return None
    found, index = record.evaluation, int(arrays["probe/index"])
    _check(0 <= index < len(found.labels), "a test sample of the record")
    stages = {
        stage: float(arrays[f"probe/{stage}/threshold"])
        for stage in found.stages
        if f"probe/{stage}/threshold" in arrays
    }
    _check(bool(stages), "a stage of the record")
    _check(bool(np.isfinite(list(stages.values())).all()), "finite thresholds")
    clean, triggered = (arrays[f"probe/{kind}"] for kind in _KINDS)
    for picture in (clean, triggered):
        _check(picture.dtype == np.uint8 and picture.ndim == 3 and picture.size > 0, "a picture")
    return Probed(
        name=record.data["name"],
        rule=record.rule,
        owner="victim",
        index=index,
        label=int(found.labels[index]),
        target=int(found.targets[index]),
        classes=found.classes,
        clean=clean,
        triggered=triggered,
        stages=tuple(
            OutputTraces(
                stage,
                threshold,
                *(_course(arrays, f"probe/{stage}/{kind}", len(found.classes)) for kind in _KINDS),
            )
            for stage, threshold in stages.items()
        ),
    )


def _course(arrays: Mapping[str, Any], here: str, classes: int) -> Course:
    made: dict[str, Any] = {name: arrays[f"{here}/{name}"] for name in _TRACES}
    shape = (len(made["membrane"]), classes)
    for array in made.values():
        _check(array.dtype == np.float32 and array.shape == shape and shape[0] > 0, "traces")
        _check(bool(np.isfinite(array).all()), "finite traces")
    predicted = int(arrays[f"{here}/predicted"])
    _check(0 <= predicted < classes, "a class")
    return Course(**made, predicted=predicted)


def _check(held: Any, what: str) -> None:
    if not held:
        raise ValueError(f"expected {what}")
