"""Where the results of a sweep lie in its store: enough to read them, without torch or the data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import BeforeValidator, FailFast, ValidationError, model_validator

from spikedoor.errors import DataError
from spikedoor.files import make_folder, read_plain, write_file
from spikedoor.records import Store
from spikedoor.study.nodes import walk
from spikedoor.study.reading import Plain, Reading, test_of
from spikedoor.study.toml import located, override, read_table

if TYPE_CHECKING:
    from spikedoor.data import DataSource
    from spikedoor.data.base import Dataset
    from spikedoor.study.cell import Cell
    from spikedoor.study.nodes import Node
    from spikedoor.study.sweep import Planned

__all__ = ["Index", "identity"]

_FOLDER, _MAX = "indexes", 1 << 26


class Made(Plain):
    """A result: its kind, and the keys of those that it is made from."""

    kind: str
    inputs: Annotated[tuple[str, ...], FailFast()]


class Truth(Plain):
    """What the answers are held to: true labels [N], and the names of the classes."""

    labels: Annotated[tuple[int, ...], FailFast()]
    classes: Annotated[tuple[str, ...], FailFast()]

    @model_validator(mode="after")
    def _labels_are_classes(self) -> Self:
        if self.labels and not 0 <= min(self.labels) <= max(self.labels) < len(self.classes):
            raise ValueError(f"expected labels of {len(self.classes)} classes")
        return self


def _each(kind: type[Plain]) -> BeforeValidator:
    """Validate the values of a dict one by one, so that the first error is the only one."""

    def validated(found: Any) -> Any:
        if not isinstance(found, dict):
            return found
        try:
            return {key: kind.model_validate(value) for key, value in found.items()}
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"]) from None

    return BeforeValidator(validated)


class Index(Plain):
    """The results of a sweep by their keys.

    Args:
        version: Of this form.
        readings: The experiments, in order.
        made: All results of the sweep, by key.
        tests: The test sets, by key.
    """

    many: ClassVar[frozenset[str]] = frozenset({"made", "tests"})
    version: Literal[1] = 1
    readings: Annotated[tuple[Reading, ...], FailFast()]
    made: Annotated[dict[str, Made], _each(Made)]
    tests: Annotated[dict[str, Truth], _each(Truth)]

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        made = {(one.kind, key) for key, one in self.made.items()}
        named = {result for one in self.readings for result in one.results()}
        inputs = {key for one in self.made.values() for key in one.inputs}
        tests = {one.test for one in self.readings}
        if not (named <= made and inputs <= set(self.made) and tests <= set(self.tests)):
            raise ValueError("expected every result that it names to be in it, of its kind")
        return self

    @classmethod
    def of(
        cls,
        planned: Sequence[Planned],
        cells: Sequence[Cell],
        dataset: Callable[[DataSource], Dataset],
    ) -> Index:
        """Return the index of planned experiments; their data sets give labels and classes."""
        made: dict[str, Made] = {}
        tests: dict[str, Truth] = {}
        for cell in cells:
            for node in _stored(cell):
                if node.key not in made:
                    inputs = (inner.key for inner in node.inputs.values() if inner.stored)
                    made[node.key] = Made(kind=node.kind, inputs=tuple(inputs))
            key = test_of(cell).key
            if key not in tests:
                test = dataset(cell.experiment.data).test
                labels = np.asarray(test.labels).tolist()
                tests[key] = Truth(labels=tuple(labels), classes=tuple(test.classes))
        readings = map(Reading.of, planned, cells)
        return cls(readings=tuple(readings), made=made, tests=tests)

    @property
    def axes(self) -> list[str]:
        """Names of all axes, in order."""
        return list(dict.fromkeys(name for one in self.readings for name in one.axes))

    def behind(self, key: str) -> Iterator[str]:
        """Yield the keys of all that a result is made from, inputs first, and its own."""
        seen: set[str] = set()
        ahead = [(key, False)]
        while ahead:
            one, ready = ahead.pop()
            if ready:
                yield one
            elif one not in seen:
                seen.add(one)
                ahead.append((one, True))
                ahead += [(inner, False) for inner in reversed(self.made[one].inputs)]

    def write(self, store: Store, name: str) -> None:
        """Write it into the store under a name, such as `identity` gives.

        Raises:
            OutputError: If it cannot be written.
        """
        path = _path(store, name)
        make_folder(path.parent)
        write_file(path, self.model_dump_json().encode())

    @classmethod
    def read(cls, store: Store, name: str) -> Index | None:
        """Read the index of a name; None if there is none.

        Raises:
            DataError: If it is damaged, or of another version.
        """
        path = _path(store, name)
        try:
            return cls.model_validate_json(read_plain(path, _MAX))
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            told = error.strerror if isinstance(error, OSError) else error.errors()[0]["msg"]
            raise DataError(f"{path}: the index is damaged ({told}); sweep again") from None


def identity(file: Path, settings: Iterable[str] = ()) -> str:
    """Return a name for a sweep that follows from what its file says, wherever the file is.

    Raises:
        ConfigError: If the file, or the base that it names, cannot be read.
    """
    table = read_table(file)
    base = table.get("base")
    if isinstance(base, str):
        table["base"] = read_table(file.parent / base if base.endswith(".toml") else located(base))
    text = json.dumps(override(table, settings), sort_keys=True, default=str)
    return sha256(text.encode()).hexdigest()[:32]


def _path(store: Store, name: str) -> Path:
    return store.folder / _FOLDER / f"{name}.json"


def _stored(cell: Cell) -> Iterator[Node]:
    leaves = (*cell.leaves(), *(() if cell.trigger is None else (cell.trigger,)))
    stages = (node for found in cell.stages.values() for node in found.values())
    for leaf in (*leaves, *stages):
        yield from (node for node in walk(leaf) if node.stored)
