"""The verb that shows the results of many experiments: table."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from spikedoor.cli.output import as_json, note, say
from spikedoor.cli.reading import index_of, to_read
from spikedoor.cli.sweeps import (
    DEFAULT_STORE,
    File,
    Json,
    PoolFolds,
    Settings,
    StoreFolder,
)

if TYPE_CHECKING:
    from spikedoor.records.query import Table

__all__ = ["main_columns", "table"]

TABLE_EXAMPLES = """\b
Examples:
  spikedoor table rates.toml
  spikedoor table rates.toml --where stage=converted --where "T>=8" --mean
  spikedoor table rates.toml --every-step --format csv
  spikedoor table folds.toml --pool-folds --mean
  spikedoor table rates.toml --by rule --format latex --out rates.tex
"""

Format = Literal["text", "csv", "md", "latex", "parquet"]

_SECONDARY = (
    "attack_success_all", "recovered_accuracy", "firing_rate", "firing_rate_triggered",
    "seconds", "seconds_to_best", "twin_seconds", "twin_seconds_to_best",
)  # fmt: skip


def table(
    file: File,
    store: StoreFolder = DEFAULT_STORE,
    settings: Settings = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="CONDITION", help='Such as "T in 4,8"; repeat.'),
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Mean over the rest; repeat.")
    ] = None,
    mean: Annotated[
        bool, typer.Option("--mean", help="Mean and 95 % interval over the seeds.")
    ] = False,
    select: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Keep only these columns; repeat.")
    ] = None,
    sort: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Order of the rows; repeat.")
    ] = None,
    every_step: Annotated[
        bool, typer.Option("--every-step", help="A row for each time step up to T.")
    ] = False,
    pool_folds: PoolFolds = False,
    full: Annotated[bool, typer.Option("--all", help="All measures, not the main ones.")] = False,
    format: Annotated[Format, typer.Option(help="What to print.", show_default=True)] = "text",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write here in place of printing.")
    ] = None,
    json: Json = False,
) -> None:
    """Print the results of a sweep.

    One row for each stage of each experiment. What is missing is shown as missing, with the reason.
    """
    from spikedoor.records.query import Table
    from spikedoor.study.results import rows

    with to_read(store) as opened:
        read = rows(index_of(file, opened, settings), opened, every_step, pool_folds)
    everything = Table.of(read)
    found = everything.where(*(where or ()))
    if everything.rows and not found.rows:
        for condition in where or ():
            _tell_of_no_row(everything, condition)
    if mean or by:
        found = found.mean(by or None)
    if sort:
        found = found.sort(*sort)
    if select:
        found = found.select(*select)
    elif not full and not json and format != "parquet" and format != "csv":
        found = found.select(*main_columns(found.columns))
    _show(found, "json" if json else format, out)


def _tell_of_no_row(table: Table, condition: str) -> None:
    """Say what a column holds of which a condition asks for something else."""
    from spikedoor.errors import hint
    from spikedoor.records.conditions import Condition

    if not table.where(condition).rows:
        asked = Condition.parse(condition)
        held = dict.fromkeys(str(row[asked.column]) for row in table.rows)
        note(f"no row has {condition}{hint(asked.values[0], list(held))}")


def main_columns(columns: tuple[str, ...]) -> list[str]:
    """Return the columns without the secondary measures and their limits."""
    return [
        name
        for name in columns
        if name not in _SECONDARY and name.rpartition(".")[0] not in _SECONDARY
    ]


def _show(found: Table, format: Format | Literal["json"], out: Path | None) -> None:
    from spikedoor.errors import ConfigError
    from spikedoor.files import write_file

    if format == "parquet":
        if out is None:
            raise ConfigError("--format parquet: name a file with --out")
        found.parquet(out)
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() and out is None else None
    made: dict[str, Any] = {
        "text": lambda: found.text(width),
        "csv": found.csv,
        "md": found.markdown,
        "latex": found.latex,
        "json": lambda: f"{as_json(list(found.rows))}\n",
    }
    content = made[format]().rstrip("\n")
    if out is None:
        say(content)
    else:
        write_file(out, f"{content}\n".encode())
