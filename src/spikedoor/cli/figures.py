"""The verb that draws the figures of a study: figures."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikedoor.cli.output import print_json, say
from spikedoor.cli.reading import index_of, to_read
from spikedoor.cli.sweeps import DEFAULT_STORE, Json, Settings, StoreFolder

if TYPE_CHECKING:
    from spikedoor.records.query import Table
    from spikedoor.report.charts import Chart

__all__ = ["figures"]

FIGURES_EXAMPLES = """\b
Examples:
  spikedoor figures rates.toml --kind rate
  spikedoor figures mnist.toml cifar10.toml --kind migration --out paper
  spikedoor figures runs/digits-1 --kind traces --format svg,png
"""

KINDS = ("rate", "migration", "converters", "corners", "traces", "defences", "overhead")


def figures(
    source: Annotated[
        list[Path],
        typer.Argument(metavar="STUDY.toml|DIR...", help="Sweeps; for traces, folders of runs."),
    ],
    kind: Annotated[
        str,
        typer.Option(
            metavar="K,K", help=f"Of {', '.join(KINDS)}.", autocompletion=lambda: list(KINDS)
        ),
    ],
    store: StoreFolder = DEFAULT_STORE,
    settings: Settings = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write.")] = Path("figures"),
    format: Annotated[
        str, typer.Option(metavar="F,F", help="Of pdf, svg, png.", show_default=True)
    ] = "pdf",
    json: Json = False,
) -> None:
    """Draw figures of studies for a paper, from their records.

    Prints the path of each file and the caption. Folds are counted together. Of several studies
    each has figures of its own, with its name before theirs.
    """
    from spikedoor.report.figures import FORMATS, save

    kinds, endings = _chosen("--kind", kind, KINDS), _chosen("--format", format, FORMATS)
    from spikedoor.files import make_folder
    from spikedoor.report.charts import CHARTS, style

    sources = _serving(source, kinds)
    tables = {file: _tables(file, store, settings, kinds) for file in source if not file.is_dir()}
    told = []
    for one, places in sources.items():
        for place in places:
            made = _traces(place) if one == "traces" else CHARTS[one](tables[place][one])
            make_folder(out)
            for chart in made:
                name = chart.name if len(places) == 1 else f"{place.resolve().stem}-{chart.name}"
                with style():
                    files = [str(save(chart.figure, out / f"{name}.{end}")) for end in endings]
                told.append({"kind": one, "files": files, "caption": chart.caption})
                if not json:
                    say(
                        "\n".join([*files, textwrap.indent(textwrap.fill(chart.caption, 98), "  ")])
                    )
    if json:
        print_json(told)


def _serving(source: list[Path], kinds: list[str]) -> dict[str, list[Path]]:
    """Return the sources of each kind of figure: folders for traces, files for the others."""
    from spikedoor.errors import ConfigError

    folders, files = ([one for one in source if one.is_dir() == wanted] for wanted in (True, False))
    traces, charts = "traces" in kinds, kinds != ["traces"]
    if (folders and not traces) or (charts and not files):
        raise ConfigError(
            f"{folders[0]}: a folder serves --kind traces; the others need a STUDY.toml"
        )
    if (files and not charts) or (traces and not folders):
        raise ConfigError(
            f"figure 'traces': {files[0]} is no folder that 'spikedoor run' has made; a store "
            "keeps no membrane"
        )
    for found in (folders, files):
        names = Counter(one.resolve().stem for one in found)
        twice = next((name for name, count in names.items() if count > 1), None)
        if twice is not None:
            raise ConfigError(f"two sources are called '{twice}', and so would be their figures")
    return {kind: folders if kind == "traces" else files for kind in kinds}


def _chosen(option: str, text: str, choices: Sequence[str]) -> list[str]:
    from spikedoor.errors import ConfigError, hint

    found = list(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    for one in found:
        if one not in choices:
            raise ConfigError(f"{option}: unknown '{one}'{hint(one, choices)}")
    return found


def _tables(
    file: Path, store: Path, settings: list[str] | None, kinds: list[str]
) -> dict[str, Table]:
    """Return what each kind of figure is drawn from: migration is told after every step."""
    from spikedoor.records.query import Table
    from spikedoor.study.results import rows

    with to_read(store) as opened:
        index = index_of(file, opened, settings)
        stepwise = {"migration"} if "rule.steps" not in index.axes else set()
        pooled = "data.fold" in index.axes
        made = {
            every_step: Table.of(rows(index, opened, every_step, pooled))
            for every_step in {kind in stepwise for kind in kinds}
        }
    return {kind: made[kind in stepwise] for kind in kinds}


def _traces(folder: Path) -> list[Chart]:
    from spikedoor.records import Record
    from spikedoor.records.samples import Samples
    from spikedoor.report.charts import Chart
    from spikedoor.report.traces import output_figure

    kept = Samples.read(folder, Record.read(folder))
    found = kept.probed if kept else None
    if found is None:  # to look again takes the victim, and torch
        from spikedoor.study.probe import probe

        found = probe(folder)
    told = (
        f"Output neurons of the victim at test sample {found.index}, of class "
        f"{found.classes[found.label]}, clean and triggered (n = 1)."
    )
    return [Chart("traces", output_figure(found), told)]
