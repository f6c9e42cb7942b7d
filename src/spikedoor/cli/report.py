"""The verb that makes a page of results: report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikedoor.cli.output import print_json, say
from spikedoor.cli.reading import command_of, index_of, to_read
from spikedoor.cli.sweeps import (
    DEFAULT_STORE,
    Json,
    PoolFolds,
    Settings,
    StoreFolder,
)

if TYPE_CHECKING:
    from spikedoor.report.page import Content

__all__ = ["REPORT_EXAMPLES", "report"]

REPORT_EXAMPLES = """\b
Examples:
  spikedoor report runs/digits-1
  spikedoor report runs/demo-1 --out demo.html
  spikedoor report rates.toml --store runs/store --out rates.html
  spikedoor report rates.toml defences.toml --leaderboard --out board.html
"""


def report(
    source: Annotated[
        list[Path],
        typer.Argument(metavar="DIR|FILE.toml", help="Folders of runs, or a sweep."),
    ],
    store: StoreFolder = DEFAULT_STORE,
    settings: Settings = None,
    pool_folds: PoolFolds = False,
    each_seed: Annotated[
        bool, typer.Option("--each-seed", help="Of a sweep, seeds apart and not their means.")
    ] = False,
    leaderboard: Annotated[
        bool, typer.Option("--leaderboard", help="Of sweeps, rank what they compare.")
    ] = False,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Page to write.")] = Path("report.html"),
    json: Json = False,
) -> None:
    """Write a page of results that opens anywhere.

    Tables, charts, triggers and configuration in one file that needs no network. A table is sorted
    by its heads, a legend hides lines, and every share has its 95 % interval.
    """
    from rich.filesize import decimal

    from spikedoor.errors import OutputError
    from spikedoor.files import write_file
    from spikedoor.report.page import page

    if out.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{out}: expected a name ending in .html")
    sweep = len(source) == 1 and source[0].suffix == ".toml"
    if leaderboard:
        made = _leaderboard(source, store, settings, pool_folds)
    elif sweep:
        made = _swept(source[0], store, settings, pool_folds, each_seed)
    else:
        made = _runs(source)
    content = page(made)
    write_file(out, content)
    if json:
        print_json({"page": str(out), "bytes": len(content)})
        return
    say(f"Page: {out} ({decimal(len(content))})")


def _swept(
    file: Path, store: Path, settings: list[str] | None, pool_folds: bool, each_seed: bool
) -> Content:
    from spikedoor.errors import ConfigError, MissingDataError
    from spikedoor.records.query import Table
    from spikedoor.report.page import of_study
    from spikedoor.report.page.samples import drawn
    from spikedoor.study.results import rows
    from spikedoor.study.triggers import triggers

    with to_read(store) as opened:
        index = index_of(file, opened, settings)
        found = Table.of(rows(index, opened, pool_folds=pool_folds))
        varied = {"rule.steps", "defence.method"} & set(found.columns)
        steps = None if varied else Table.of(rows(index, opened, True, pool_folds)).mean()
        try:
            shown = drawn(triggers(index, opened))
        except (MissingDataError, ConfigError) as error:
            what = "the data" if isinstance(error, MissingDataError) else "a component"
            title = f"Not shown, for {what} is not on this machine"
            shown = {"texts": [{"title": title, "text": str(error), "open": True}]}
    command = command_of("sweep", file, store, settings)
    table = found if each_seed else found.mean()
    again = f"{command}\n\n{file.read_text('utf-8')}"
    return of_study(file.stem, table, again, steps, shown)


def _leaderboard(
    files: list[Path], store: Path, settings: list[str] | None, pool_folds: bool
) -> Content:
    from spikedoor.errors import ConfigError
    from spikedoor.records.query import Table
    from spikedoor.report.page import of_leaderboard
    from spikedoor.study.results import rows

    found = {}
    for file in files:
        if file.suffix != ".toml":
            raise ConfigError(f"--leaderboard: expected sweeps, files ending in .toml, got {file}")
        with to_read(store) as opened:
            index = index_of(file, opened, settings)
            found[file.stem] = Table.of(rows(index, opened, pool_folds=pool_folds)).mean()
    return of_leaderboard(
        found, "\n".join(command_of("sweep", file, store, settings) for file in files)
    )


def _runs(folders: list[Path]) -> Content:
    """Read the runs in folders, or in folders of such."""
    from spikedoor.errors import MissingDataError
    from spikedoor.files import missed
    from spikedoor.records import Record
    from spikedoor.records.samples import Samples
    from spikedoor.report.page import of_records

    places: list[Path] = []
    for folder in folders:
        nested = (folder, *sorted(folder.glob("*/")))
        found = [place for place in nested if (place / "record.json").is_file()]
        if not found:
            wanted = "a folder of a run, or of several, with record.json, or a sweep's FILE.toml"
            raise MissingDataError(missed(folder, wanted))
        places += found
    records = {str(place): Record.read(place) for place in places}
    return of_records(records, {place: Samples.read(place, records[place]) for place in records})
