"""A victim on the command line: the folder of a run or of a victim, or a NIR file, and its data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikedoor.cli import foreign
from spikedoor.cli.named import data_source

if TYPE_CHECKING:
    from spikedoor.data.base import Dataset
    from spikedoor.victim import Victim

__all__ = ["VICTIM", "Clean", "victim_of"]

Clean = Annotated[
    float, typer.Option(metavar="SHARE", min=0, max=1, help="Share of clean training samples.")
]

VICTIM = (
    "the folder of a run (with record.json) or of a victim (victim.json), or a file ending in .nir"
)


def victim_of(
    folder: Path,
    data: str | None,
    sensor: str | None,
    size: int | None,
    told: foreign.Told,
    wanted: str = VICTIM,
) -> tuple[Victim, Dataset]:
    """Return a victim, and data of its kind.

    Args:
        folder: Where it is.
        data: The data; not needed where a record tells them.
        sensor: Of a folder of recordings, its sensor.
        size: Of a folder of images, their size.
        told: What a NIR file does not say.
        wanted: What is expected, in a message.

    Raises:
        DataError: If there is no victim, or it cannot be read.
        ConfigError: If its data are not known, or not of its kind.
    """
    from spikedoor.data import DataSource
    from spikedoor.errors import ConfigError, MissingDataError
    from spikedoor.files import missed
    from spikedoor.victim import Victim

    is_record = (folder / "record.json").is_file()
    if foreign.is_nir(folder):
        there, wanted = folder.is_file(), "a NIR file"
    else:
        there = is_record or (folder / "victim.json").is_file()
    if not there:
        raise MissingDataError(missed(folder, wanted))
    source = None if data is None else data_source(data, sensor, size)
    if foreign.is_nir(folder):
        if source is None:
            raise ConfigError(f"{folder}: NIR does not tell the data; name them with --data")
        dataset = source.load()
        victim = told.victim(folder, dataset.train)
    else:
        victim = Victim.load(folder / "victim" if is_record else folder)
        if source is None and is_record:
            from spikedoor.records import Record

            source = DataSource.from_dict(Record.read(folder).experiment["data"])
        if source is None:
            raise ConfigError(f"{folder}: no record here to tell the data; name them with --data")
        dataset = source.load()
    known, blueprint = dataset.train, victim.final.blueprint
    shape = victim.final.encoding.shape(known)
    if tuple(known.classes) != blueprint.classes or shape != blueprint.shape:
        raise ConfigError(
            f"'{known.name}' has {len(known.classes)} classes and samples of shape {list(shape)}; "
            f"the victim expects {len(blueprint.classes)} and {list(blueprint.shape)}"
        )
    return victim, dataset
