"""DVS128 Gesture: gestures of hands and arms, cut from longer recordings."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, final

from spikedoor.data.events.members import Member, members
from spikedoor.data.events.recordings import Events
from spikedoor.data.events.source import EventSource, Part
from spikedoor.data.files import read_limited
from spikedoor.data.source import DATASETS
from spikedoor.errors import DataError

__all__ = ["DvsGesture", "parse_cuts"]

_FOLDER = "DvsGesture"
_MAX_TEXT = 1 << 20
_CLASSES = (
    *("hand_clapping", "right_hand_wave", "left_hand_wave", "right_arm_clockwise"),
    *("right_arm_counter_clockwise", "left_arm_clockwise", "left_arm_counter_clockwise"),
    *("arm_roll", "air_drums", "air_guitar", "other_gestures"),
)


@final
@DATASETS.register(
    "dvs-gesture",
    source="Amir et al. 2017, A low power, fully event-based gesture recognition system",
    link="https://doi.org/10.1109/CVPR.2017.781",
)
class DvsGesture(EventSource):
    """Eleven gestures of 29 people, 1,176 + 288 recordings of 128 x 128, from ``DvsGesture``.

    ``DvsGesture/userNN_light.aedat``, each cut by its ``userNN_light_labels.csv``, from the start
    of a gesture on and before its end; times count from that start. ``trials_to_train.txt`` and
    ``trials_to_test.txt`` name the files of each part, so that no person is in both.
    """

    needs: ClassVar[tuple[tuple[str, ...], ...]] = (
        (f"{_FOLDER}/trials_to_train.txt",),
        (f"{_FOLDER}/trials_to_test.txt",),
    )

    def _sensor(self) -> tuple[int, int]:
        return 128, 128

    def _base(self, root: Path) -> Path:
        return root / _FOLDER

    def _parts(self, root: Path) -> tuple[tuple[str, ...], list[Part]]:
        base = self._existing(root, _FOLDER)
        found = {member.name: member for member in members(base, (".aedat", ".csv"), depth=0)}
        parts = []
        for name, places in zip(("train", "test"), self.needs, strict=True):
            trials = self._existing(root, *places)
            text = read_limited(trials, _MAX_TEXT).decode("utf-8", "replace")
            files = [line.strip() for line in text.splitlines() if line.strip()]
            for file in files:
                for wanted in (file, _labels_of(file)):
                    if wanted not in found:
                        raise DataError(f"{trials.name}: expected {base / wanted}, found no such")
            beside = {_labels_of(file): found[_labels_of(file)] for file in files}
            parts.append(Part(name, [found[file] for file in files], beside))
        return _CLASSES, parts

    def _recordings(
        self, part: Part, file: Member, data: bytes, classes: tuple[str, ...]
    ) -> Iterable[tuple[int, Events]]:
        labels = _labels_of(file.name)
        cuts = parse_cuts(part.beside[labels].read(), len(classes), labels)
        stream = self._parse(file, data)
        for number, start, end in cuts:
            name = f"{file.name}: class {number} from {start} to {end}"
            yield number - 1, stream.between(start, end).recording(name, start)


def parse_cuts(data: bytes, classes: int, name: str) -> list[tuple[int, int, int]]:
    """Read a list of labels: a line of titles, then class (from 1 on), start and end in µs.

    Args:
        data: The file, lines of three numbers with commas between.
        classes: Number of classes.
        name: What to call the file in a message.

    Raises:
        DataError: If a line is no such, or the list is empty.
    """
    cuts = []
    lines = data.decode("utf-8", "replace").splitlines()
    try:
        rows = list(csv.reader(lines))
    except csv.Error as error:
        raise DataError(f"{name}: expected lines of three numbers: {error}") from None
    for line, row in enumerate(rows[1:], 2):
        if not row:
            continue
        try:
            number, start, end = (int(value) for value in row)
        except ValueError:
            raise DataError(
                f"{name}: expected class, start and end in line {line}, found {row!r:.60}"
            ) from None
        if not 1 <= number <= classes or not 0 <= start < end < 2**63:
            raise DataError(
                f"{name}: expected a class in 1..{classes} and a start before its end in line "
                f"{line}, found {row!r:.60}"
            )
        cuts.append((number, start, end))
    if not cuts:
        raise DataError(f"{name}: expected gestures, found none")
    return cuts


def _labels_of(file: str) -> str:
    return f"{file.removesuffix('.aedat')}_labels.csv"
