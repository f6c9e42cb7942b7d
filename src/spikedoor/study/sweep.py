"""A sweep: one TOML file that stands for many experiments."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from spikedoor.component import Component
from spikedoor.errors import ConfigError
from spikedoor.study.experiment import Experiment
from spikedoor.study.preset import experiment_table
from spikedoor.study.toml import located, override, read_table, with_keys

__all__ = ["Part", "Planned", "Sweep", "is_sweep", "load_sweep"]

Table = dict[str, Any]
Axes = dict[str, list[Any]]

_MOST = 100_000


class Part(Component):
    """Some of the experiments of a sweep: what they share, and the axes along which they differ.

    An axis is a key of an experiment and a list of values, as ``attack.rate = [0.01, 0.1]``. Axes
    in ``grid`` are crossed: every value of one with every value of the others. Those in one table
    of ``zip`` advance together.
    """

    label: str = ""
    """What the part is called in tables."""
    set: Table = Field(default_factory=dict)
    """Keys of an experiment that hold for the whole part."""
    grid: Table = Field(default_factory=dict)
    """Axes that are crossed."""
    zip: tuple[Table, ...] = ()
    """Tables of axes that advance together."""

    @model_validator(mode="after")
    def _axes_are_lists(self) -> Self:
        _axes(self.grid, "grid")
        for table in self.zip:
            axes = _axes(table, "zip")
            lengths = {name: len(values) for name, values in axes.items()}
            if len(set(lengths.values())) > 1:
                told = ", ".join(f"{name} has {count}" for name, count in lengths.items())
                raise ConfigError(f"zip: expected lists of one length, but {told}")
        return self

    def points(self) -> Iterator[dict[str, Any]]:
        """Yield the values of all axes, by key: the whole part."""
        grid = _axes(self.grid, "grid")
        factors = [[{name: value} for value in values] for name, values in grid.items()]
        for table in self.zip:
            axes = _axes(table, "zip")
            factors.append(
                [dict(zip(axes, row, strict=True)) for row in zip(*axes.values(), strict=True)]
            )
        for chosen in itertools.product(*factors):
            yield {name: value for one in chosen for name, value in one.items()}


class Sweep(Part):
    """A base experiment, axes, seeds, and parts with settings and axes of their own.

    With parts, the sweep's own settings and axes hold for each of them; a part's axis takes the
    place of the sweep's axis of the same key.
    """

    base: Table = Field(default_factory=dict)
    """The experiment that is varied. In a file also the name of a preset, or of another file."""
    seeds: tuple[int, ...] = (0,)
    """Every point is run with each of them."""
    threads: int = Field(1, ge=1, le=1024)
    """Threads of each stage. Results depend on it in the last bits, so it is the same whatever the
    engine; one thread for each of several workers is the fastest."""
    parts: tuple[Part, ...] = ()
    """Parts; none means the sweep itself is the only one."""

    @model_validator(mode="after")
    def _some_seeds(self) -> Self:
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ConfigError(f"seeds: expected different numbers from 0 on, got {self.seeds}")
        return self

    def experiments(self) -> list[Planned]:
        """Return all experiments, in order: part by part, point by point, seed by seed.

        Raises:
            ConfigError: If one is not valid, or there are too many.
        """
        found: list[Planned] = []
        for part in self.parts or (Part(),):
            whole = Part(
                set=merged(self.set, part.set),
                grid={**_axes(self.grid, "grid"), **_axes(part.grid, "grid")},
                zip=(*self.zip, *part.zip),
            )
            for axes in whole.points():
                for seed in self.seeds:
                    found.append(self._planned(part.label, whole.set, axes, seed))
                    if len(found) > _MOST:
                        raise ConfigError(f"a sweep has at most {_MOST} experiments, this has more")
        return found

    def _planned(self, part: str, settings: Table, axes: dict[str, Any], seed: int) -> Planned:
        wishes = [(name.split("."), value, name) for name, value in axes.items()]
        table = with_keys(merged(self.base, settings), wishes)
        shown = shown_axes(axes)
        try:
            made = Experiment.from_dict({"threads": self.threads, **table, "seed": seed})
        except ConfigError as error:
            where = ", ".join(filter(None, [part, *(f"{k}={v}" for k, v in shown.items())]))
            raise ConfigError(f"{where}: {error}" if where else str(error)) from None
        return Planned(part, shown, made)


@dataclass(frozen=True)
class Planned:
    """An experiment of a sweep.

    Args:
        part: Label of its part.
        axes: Where it stands on each axis, as numbers, truth values or text.
        experiment: The experiment.
    """

    part: str
    axes: dict[str, Any]
    experiment: Experiment


def load_sweep(path: str | Path, settings: tuple[str, ...] = ()) -> Sweep:
    """Read a sweep from a TOML file.

    Args:
        path: The file.
        settings: Overrides such as ``"seeds=[0, 1]"`` or ``"base.attack.rate=0.1"``.

    Raises:
        ConfigError: Naming the file, the key, what was expected, what came, and what is near.
    """
    path = Path(path)
    table = read_table(path)
    base = table.get("base")
    if isinstance(base, str):
        table["base"] = _base(base, path)
    table = override(table, settings)
    try:
        return Sweep.from_dict(table)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def is_sweep(path: str | Path) -> bool:
    """Whether a TOML file describes a sweep, by its keys; else it is an experiment.

    Raises:
        ConfigError: If it cannot be read, or is not TOML.
    """
    return bool(set(read_table(path)) & (set(Sweep.model_fields) - set(Experiment.model_fields)))


def _base(base: str, path: Path) -> Table:
    """Return the experiment that a sweep's file names: another file beside it, or a preset."""
    try:
        return experiment_table(path.parent / base if base.endswith(".toml") else located(base))
    except ConfigError as error:
        raise ConfigError(f"{path}: base: {error}") from None


def merged(base: Table, changes: Table) -> Table:
    """Return a table with changes laid over it; a table with another ``name`` takes its place."""
    result = dict(base)
    for key, value in changes.items():
        under = result.get(key)
        if isinstance(under, str) and isinstance(value, dict):
            under = {"name": under}
        result[key] = value
        if isinstance(under, dict) and isinstance(value, dict):
            name = under.get("name")
            if value.get("name", name) == name:
                result[key] = merged(under, value)
    return result


def shown_axes(axes: Table) -> dict[str, Any]:
    """Return values of axes for a table; one that sets several keys is told as these keys."""
    shown: dict[str, Any] = {}
    for name, value in axes.items():
        if isinstance(value, dict) and value and "name" not in value:
            shown |= shown_axes({f"{name}.{key}": inner for key, inner in value.items()})
        else:
            shown[name] = shown_value(value)
    return shown


def shown_value(value: Any) -> str | int | float | bool:
    """Return a value for a table: ``{name = "percentile", p = 99}`` is ``percentile(p=99)``."""
    if isinstance(value, dict):
        fields = ", ".join(f"{k}={shown_value(v)}" for k, v in value.items() if k != "name")
        name = str(value.get("name", ""))
        return f"{name}({fields})" if fields else name
    if isinstance(value, (str, int, float, bool)):
        return value
    return json.dumps(value, default=str)


def _axes(table: Table, what: str) -> Axes:
    """Return the axes of a table by dotted key; ``a.b`` and nested tables mean the same.

    Raises:
        ConfigError: If an axis is no list, or is empty.
    """
    axes: Axes = {}
    for key, value in table.items():
        if isinstance(value, dict):
            axes |= {
                f"{key}.{inner}": found for inner, found in _axes(value, f"{what}.{key}").items()
            }
        elif not isinstance(value, (list, tuple)) or not value:
            raise ConfigError(f"{what}.{key}: expected a list of values, got {value!r}")
        else:
            axes[key] = list(value)
    return axes
