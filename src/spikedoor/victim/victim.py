"""What a rule returns: the stages a network went through, each of which can be asked."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from spikedoor.errors import ConfigError, DataError, MissingDataError, hint, reason
from spikedoor.files import missed, new_folder, read_plain, write_bytes
from spikedoor.victim.files import described, stage_from, weights, weights_file
from spikedoor.victim.stage import Stage

__all__ = ["Victim"]

_FORMAT, _JSON = 1, "victim.json"
_MAX_JSON, _MAX_WEIGHTS = 1 << 26, 1 << 32
_DAMAGE = (OSError, ValueError, LookupError, TypeError, RuntimeError, OverflowError)


@dataclass(frozen=True, eq=False)
class Victim:
    """The stages of a trained network, in the order they came about."""

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"a victim needs one or more stages of different names, got {names}")

    def __getitem__(self, name: str) -> Stage:
        for stage in self.stages:
            if stage.name == name:
                return stage
        names = [stage.name for stage in self.stages]
        raise ConfigError(f"the victim has no stage '{name}'{hint(name, names)}")

    if not TYPE_CHECKING:  # which would believe that there is every attribute

        def __getattr__(self, name):
            raise AttributeError(
                f"a victim has no '{name}'; if a stage was meant, such as defences take, give "
                "`victim.final`"
            )

    @property
    def final(self) -> Stage:
        """The last stage: the network that is put to use."""
        return self.stages[-1]

    def to_files(self) -> dict[str, bytes]:
        """Return what `save` writes, by file name."""
        stages = [described(stage) for stage in self.stages]
        text = json.dumps({"format": _FORMAT, "stages": stages}, indent=1)
        files = {
            weights_file(entry): weights(s) for entry, s in zip(stages, self.stages, strict=True)
        }
        return {**files, _JSON: text.encode()}

    def save(self, folder: str | Path) -> Path:
        """Write the victim to a new folder: ``victim.json`` and one safetensors file a stage.

        Raises:
            OutputError: If the folder exists already or cannot be written.
        """
        with new_folder(folder) as target:
            for name, content in self.to_files().items():
                write_bytes(target / name, content)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a victim written by `save`. Nothing in the folder can run code, no link is followed.

        Raises:
            MissingDataError: If there is no victim in the folder.
            DataError: If a file is damaged, or not of this format.
        """
        folder = Path(folder)
        if not os.path.lexists(folder / _JSON):
            raise MissingDataError(missed(folder, f"the folder of a victim, with {_JSON}"))
        try:
            found = json.loads(read_plain(folder / _JSON, _MAX_JSON))
            if found["format"] != _FORMAT:
                raise DataError(
                    f"{folder}: expected victim format {_FORMAT}, found {found['format']}"
                )
            return cls(
                tuple(
                    stage_from(entry, read_plain(folder / weights_file(entry), _MAX_WEIGHTS))
                    for entry in found["stages"]
                )
            )
        except DataError:
            raise
        except _DAMAGE as error:
            raise DataError(f"{folder}: not a readable victim folder ({reason(error)})") from error
