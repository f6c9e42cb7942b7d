"""A preset: an experiment in a file, with what it is and what was published of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from spikedoor.component import Component
from spikedoor.errors import ConfigError
from spikedoor.study.experiment import Experiment
from spikedoor.study.toml import located, override, read_table
from spikedoor.victim import StageName

__all__ = ["Expected", "Preset", "experiment_table", "load", "load_preset"]

Measure = Literal[
    "clean_accuracy",
    "attack_success",
    "attack_success_all",
    "recovered_accuracy",
    "migration_ratio",
    "migration_retained",
]


class Expected(Component):
    """A published number, and how far from it a reproduction may end."""

    stage: StageName
    """Stage of the victim."""
    measure: Measure
    """What was measured: the toolkit's measure that counts as the source does."""
    value: float = Field(ge=0)
    """Published value; a share, not a percentage."""
    tolerance: float = Field(gt=0)
    """Largest difference of the mean over seeds, to either side, that is still a reproduction."""
    source: str = Field(min_length=1)
    """Where the value stands."""


class Preset(Experiment):
    """An experiment with a sentence about it and the numbers published for it, if any."""

    about: str = ""
    """What it is, in one sentence."""
    expected: tuple[Expected, ...] = ()
    """Published numbers."""

    @property
    def experiment(self) -> Experiment:
        """The experiment alone."""
        return Experiment(**{name: getattr(self, name) for name in Experiment.model_fields})


def load_preset(
    name: str | Path, settings: tuple[str, ...] = (), seed: int | None = None
) -> Preset:
    """Read a preset; see `load`."""
    path = located(name)
    table = override(read_table(path), settings)
    if seed is not None:
        table["seed"] = seed
    try:
        return Preset.from_dict(table)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def load(name: str | Path, settings: tuple[str, ...] = (), seed: int | None = None) -> Experiment:
    """Read an experiment from a TOML file, a run's ``record.json``, or a preset of the package.

    Args:
        name: The file, or the preset's name.
        settings: Overrides such as ``"attack.rate=0.1"``.
        seed: Override of the seed.

    Raises:
        ConfigError: Naming the file, the key, what was expected, what came, and what is near.
    """
    return load_preset(name, settings, seed).experiment


def experiment_table(path: Path) -> dict[str, Any]:
    """Return what a file holds, without the keys that only a preset has."""
    only = set(Preset.model_fields) - set(Experiment.model_fields)
    return {key: value for key, value in read_table(path).items() if key not in only}
