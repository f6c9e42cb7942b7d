"""Components and data as they are named on the command line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from spikedoor.data import DataSource

__all__ = ["Sensor", "Size", "component_table", "data_source"]

Sensor = Annotated[
    str | None,
    typer.Option(metavar="HxW", help="Height and width of the sensor, of a folder of recordings."),
]
Size = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=4096, help="Side to resize to, of a folder of images."),
]


def component_table(text: str) -> Any:
    """Return a name, or a table in TOML, as a component takes it.

    Raises:
        ConfigError: If it begins like a table and is not TOML.
    """
    from spikedoor.errors import ConfigError

    if not text.lstrip().startswith("{"):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{text}: expected a name or a table in TOML ({error})") from None


def data_source(text: str, sensor: str | None = None, size: int | None = None) -> DataSource:
    """Return the data that a name, a table in TOML, or the path of a folder stands for.

    A name goes before a folder that is called the same; ``./mnist`` is always a folder.

    Args:
        text: Name, table or path.
        sensor: Height and width, ``"34x34"``, of a folder of recordings.
        size: Side to resize to, of a folder of images.

    Raises:
        ConfigError: If it is none of them, or a setting does not go with it.
    """
    from spikedoor.data import DATASETS, DataSource
    from spikedoor.data.own import folder_source
    from spikedoor.errors import ConfigError, hint

    names = DATASETS.names()
    if text.lstrip().startswith("{") or text in names:
        if sensor is not None or size is not None:
            raise ConfigError("--sensor and --size go with a folder; a table has keys for them")
        return DataSource.from_dict(component_table(text))
    path = Path(text).expanduser()
    if not path.exists() and path.name == text:
        raise ConfigError(f"expected a folder or a data set, got '{text}'{hint(text, names)}")
    return folder_source(path, None if sensor is None else _sides(sensor), size)


def _sides(text: str) -> tuple[int, int]:
    from spikedoor.errors import ConfigError

    found = re.fullmatch(r"(\d{1,4})\s*[x,]\s*(\d{1,4})", text.strip())
    if found is None:
        raise ConfigError(f"--sensor: expected HEIGHTxWIDTH, such as 34x34, got '{text}'")
    return int(found[1]), int(found[2])
