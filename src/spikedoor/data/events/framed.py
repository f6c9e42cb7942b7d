"""Frames of a source of recordings: what many published attacks overwrite."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self, final

from pydantic import Field, model_validator

from spikedoor.data.base import Dataset, Modality
from spikedoor.data.events.framing import FrameSet, Framing
from spikedoor.data.files import data_root
from spikedoor.data.source import DATASETS, DataSource
from spikedoor.errors import ConfigError

__all__ = ["Framed"]


@final
@DATASETS.register("frames")
class Framed(DataSource):
    """Show a source of recordings as frames of counts, which frame triggers overwrite.

    No camera makes such frames: this is for what was published on them. Triggers that are events
    need the recordings themselves, which the encoding frames.
    """

    modality: ClassVar[Modality] = "frame"

    source: DataSource
    """Source of the recordings. Where its files are, its limits and its fold are set outside it."""
    framing: Framing = Framing()
    """How a recording is divided."""
    steps: int = Field(16, ge=1)
    """Frames of a recording, a multiple of the victim's time steps."""

    @model_validator(mode="after")
    def _of_recordings(self) -> Self:
        if self.source.modality != "event":
            raise ConfigError(
                f"source: expected a source of recordings, got '{self.source.name}', which holds "
                f"{self.source.modality}s"
            )
        for name, field in DataSource.model_fields.items():
            if getattr(self.source, name) != field.default:
                raise ConfigError(f"source.{name}: expected it outside the source, as '{name}'")
        return self

    def load(self) -> Dataset:
        """Read the recordings that are kept; see `DataSource.load`."""
        return self._load(data_root(self.root))

    def _load(self, root: Path) -> Dataset:
        common = {name: getattr(self, name) for name in DataSource.model_fields}
        found = self.source.model_copy(update={**common, "root": root}).load()
        train, test = (FrameSet(s, self.framing, self.steps) for s in (found.train, found.test))
        return Dataset(found.name, train, test, found.checksums)
