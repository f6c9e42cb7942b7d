"""The results that the rows of a sweep are read from, as files: made into them, and read again.

They are of four kinds: "answers", the predicted classes after each step [steps, samples];
"activity", the names of the spiking layers with firing rates by layer [T, L] and by sample [T, N];
"operations" of each sample [N]; and "detection", a `Detected`. No torch.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.npz import parse_npz_arrays
from spikedoor.files import npz
from spikedoor.metrics.findings import Detected, Detection

__all__ = ["KINDS", "about", "packed", "unpacked"]

KINDS = ("answers", "activity", "operations", "detection")

_VICTIM, _DETECTION, _SCORES = "victim.json", "detection.json", "scores.npz"
_RATES = ("by_layer", "by_sample")


def packed(kind: str, result: Any) -> dict[str, bytes]:
    """Return a result as files, by name."""
    if kind == "answers":
        small = np.uint8 if result.size == 0 or result.max() < 256 else np.uint16
        # Samples first: a sample's answers soon stay the same, which compresses well.
        return _file(kind, {"answers": np.ascontiguousarray(result.T, small)})
    if kind == "operations":
        return _file(kind, {"operations": result})
    if kind == "activity":
        layers, *rates = result
        single = {name: rate.astype(np.float32) for name, rate in zip(_RATES, rates, strict=True)}
        return _file(kind, {"layers": np.array(layers), **single})
    found = result.detection
    told = {"threshold": found.threshold, "details": found.details}
    arrays = {"scores": found.scores, "positive": result.positive}
    return {_SCORES: npz(arrays), _DETECTION: json.dumps(told).encode()}


def unpacked(kind: str, files: dict[str, bytes]) -> Any:
    """Return the result in some files; nothing in them can run code.

    Files that are not what `packed` makes raise whatever Python or their reader raises.
    """
    if kind == "answers":
        return _arrays(kind, files)["answers"].T.astype(np.int64)
    if kind == "operations":
        return _arrays(kind, files)["operations"].astype(np.float64)
    if kind == "activity":
        arrays = _arrays(kind, files)
        rates = (arrays[name].astype(np.float64) for name in _RATES)
        return tuple(map(str, arrays["layers"])), *rates
    told = json.loads(files[_DETECTION])
    arrays = parse_npz_arrays(files[_SCORES], _SCORES)
    detection = Detection(arrays["scores"], float(told["threshold"]), told["details"])
    return Detected(detection, arrays["positive"])


def about(files: dict[str, bytes]) -> dict[str, Any]:
    """Return all of a stage but its weights, as its files tell it."""
    (entry,) = json.loads(files[_VICTIM])["stages"]
    return entry


def _file(kind: str, arrays: dict[str, NDArray[Any]]) -> dict[str, bytes]:
    return {f"{kind}.npz": npz(arrays)}


def _arrays(kind: str, files: dict[str, bytes]) -> dict[str, NDArray[Any]]:
    name = f"{kind}.npz"
    return parse_npz_arrays(files[name], name)
