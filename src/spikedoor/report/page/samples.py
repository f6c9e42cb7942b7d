"""What a page shows of single samples: triggers, recordings that play, and output neurons."""

from __future__ import annotations

import base64
import io
import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spikedoor.data.events.pictures import pictures
from spikedoor.records import Gallery, Record
from spikedoor.records.samples import Film, Samples
from spikedoor.records.traces import Course, Probed
from spikedoor.report.images import difference
from spikedoor.report.rows import label

__all__ = ["command", "drawn", "galleries", "gallery", "lacking", "player", "players", "traces"]

_MOST = 12
"""Classes whose output neurons are drawn."""


def galleries(records: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Return the samples of each trigger once."""
    found: dict[str, dict[str, Any]] = {}
    for record in records.values():
        title = _trigger(record)
        if title not in found and len(record.gallery.labels):
            found[title] = gallery(title, record.gallery, record.evaluation.classes)
    return list(found.values())


def gallery(title: str, shown: Gallery, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return samples clean, triggered, and the difference, as pictures."""
    apart = difference(shown.clean, shown.triggered)
    images = zip(shown.clean, shown.triggered, apart, shown.labels, strict=True)
    kinds = [
        {
            "label": classes[int(true)],
            "pictures": [
                (name, _picture(image))
                for name, image in zip(("clean", "triggered", "difference"), three, strict=True)
            ],
        }
        for *three, true in images
    ]
    return {"title": title, "kinds": kinds}


def players(records: Mapping[str, Record], samples: Mapping[str, Samples]) -> list[dict[str, Any]]:
    """Return the recordings of each trigger once, to be played."""
    found: dict[str, dict[str, Any]] = {}
    for place, shown in samples.items():
        title = _trigger(records[place])
        if title not in found and shown.film:
            found[title] = player(title, shown.film, records[place].evaluation.classes)
    return list(found.values())


def player(title: str, film: Film, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return recordings to be played: a picture of all frames, clean and triggered.

    The frames of a recording stand in a row of it; their colours are full at the count that nine
    of ten pixels with events do not exceed.
    """
    both = np.stack([film.clean, film.triggered])
    busy = both[both > 0]
    full = float(np.quantile(busy, 0.9)) if busy.size else 1.0
    recordings, frames, _, height, width = film.clean.shape
    shown = pictures(both.reshape(-1, 1, 2, height, width), full)
    sheets = shown.reshape(2, recordings, frames, 3, height, width).transpose(0, 3, 1, 4, 2, 5)
    clean, triggered = sheets.reshape(2, 3, recordings * height, frames * width)
    return {
        "title": title,
        "clean": _picture(clean),
        "triggered": _picture(triggered),
        "labels": [classes[int(true)] for true in film.labels],
        "frames": frames,
        "size": [width, height],
        "window": film.window / 1000,
        "counts": both.sum((1, 3, 4, 5), dtype=np.int64).tolist(),
    }


def drawn(
    shown: Mapping[str, tuple[Gallery, Film | None, tuple[str, ...]]],
) -> dict[str, list[dict[str, Any]]]:
    """Return galleries and players of triggers by name: samples, recordings, names of classes."""
    return {
        "galleries": [gallery(name, one, classes) for name, (one, _, classes) in shown.items()],
        "players": [player(name, one, classes) for name, (_, one, classes) in shown.items() if one],
    }


def traces(samples: Mapping[str, Samples]) -> list[dict[str, Any]]:
    """Return what the output neurons of each run do at one sample, clean and triggered."""
    return [_traces(shown.probed) for shown in samples.values() if shown.probed]


def lacking(records: Mapping[str, Record], samples: Mapping[str, Samples]) -> list[dict[str, Any]]:
    """Return, as a text, what makes the samples of runs that have kept none."""
    told = [
        command(record, "probe", place, "--keep")
        for place, record in records.items()
        if place not in samples and _spikes(record)
    ]
    title = "Recordings that play, and output neurons, were not kept by some runs; to have them"
    return [{"title": title, "text": "\n".join(told), "open": True}] if told else []


def command(record: Record, verb: str, *arguments: str) -> str:
    """Return a command about a run, with the plug-ins that it was made with."""
    plugins = (part for file in record.plugins for part in ("--plugin", file))
    return shlex.join(["spikedoor", verb, *arguments, *plugins])


def _spikes(record: Record) -> bool:
    return any(stage != "ann" for stage in record.evaluation.stages)


def _trigger(record: Record) -> str:
    return f"{record.data['name']}, {record.experiment['attack']['trigger']['name']}"


def _traces(probed: Probed) -> dict[str, Any]:
    voltage = sum(
        np.abs(course.voltage[-1])
        for stage in probed.stages
        for course in (stage.clean, stage.triggered)
    )
    first = [probed.target, probed.label]
    others = [int(k) for k in np.argsort(-np.asarray(voltage), kind="stable") if k not in first]
    kept = [*first, *others[: _MOST - len(first)]]
    return {
        "title": f"{label(probed.rule)}, {probed.name}: test sample {probed.index}",
        "classes": [probed.classes[k] for k in kept],
        "left": len(others) + len(first) - len(kept),
        "pictures": [("clean", _picture(probed.clean)), ("triggered", _picture(probed.triggered))],
        "stages": [
            {
                "stage": stage.stage,
                "threshold": stage.threshold,
                "clean": _course(stage.clean, kept, probed.classes),
                "triggered": _course(stage.triggered, kept, probed.classes),
            }
            for stage in probed.stages
        ],
    }


def _course(course: Course, kept: list[int], classes: tuple[str, ...]) -> dict[str, Any]:
    """Return membrane and spikes, a list for each step."""
    return {
        "predicted": classes[course.predicted],
        "membrane": [[float(f"{x:.4g}") for x in step] for step in course.membrane[:, kept]],
        "spikes": course.spikes[:, kept].astype(int).tolist(),
    }


def _picture(image: NDArray[np.uint8]) -> str:
    """Return an image [C, H, W] as a data URI: grey, colour, or the mean of other channels."""
    plain = np.moveaxis(image, 0, -1) if len(image) == 3 else image.mean(0).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(plain).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
