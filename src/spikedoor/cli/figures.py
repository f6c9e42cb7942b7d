"""The verb that draws the figures of a study: figures."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikedoor.cli.output import say
from spikedoor.cli.sweeps import DEFAULT_STORE, Settings, StoreFolder, campaign_of, to_read

if TYPE_CHECKING:
    from spikedoor.records.query import Table
    from spikedoor.report.charts import Chart

__all__ = ["figures"]

FIGURES_EXAMPLES = """\b
Examples:
  spikedoor figures rates.toml --kind rate
  spikedoor figures migration.toml --kind migration,converters --out paper --format pdf
  spikedoor figures runs/digits-1 --kind traces --format svg,png
"""

KINDS = ("rate", "migration", "converters", "corners", "traces", "defences", "overhead")


def figures(
    source: Annotated[
        Path,
        typer.Argument(metavar="STUDY.toml|DIR", help="A sweep, or for traces a run's folder."),
    ],
    kind: Annotated[str, typer.Option(metavar="K,K", help=f"Of {', '.join(KINDS)}.")],
    store: StoreFolder = DEFAULT_STORE,
    settings: Settings = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write.")] = Path("figures"),
    format: Annotated[
        str, typer.Option(metavar="F,F", help="Of pdf, svg, png.", show_default=True)
    ] = "pdf",
) -> None:
    """Draw figures of a study for a paper, from its records.

    Prints the path of each file and the caption. Folds are counted together.
    """
    from spikedoor.report.figures import FORMATS, save

    kinds, endings = _chosen("--kind", kind, KINDS), _chosen("--format", format, FORMATS)
    from spikedoor.files import make_folder
    from spikedoor.report.charts import CHARTS, style

    table = None if kinds == ["traces"] else _table(source, store, settings, kinds)
    for one in kinds:
        made = _traces(source) if table is None or one == "traces" else CHARTS[one](table)
        make_folder(out)
        for chart in made:
            with style():
                for ending in endings:
                    say(str(save(chart.figure, out / f"{chart.name}.{ending}")))
            say(textwrap.indent(textwrap.fill(chart.caption, 98), "  "))


def _chosen(option: str, text: str, choices: Sequence[str]) -> list[str]:
    from spikedoor.errors import ConfigError, hint

    found = list(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    for one in found:
        if one not in choices:
            raise ConfigError(f"{option}: unknown '{one}'{hint(one, choices)}")
    return found


def _table(file: Path, store: Path, settings: list[str] | None, kinds: list[str]) -> Table:
    from spikedoor.errors import ConfigError
    from spikedoor.records.query import Table

    if file.is_dir():
        raise ConfigError(f"{file}: a folder serves --kind traces; the others need a STUDY.toml")
    with to_read(store) as opened:
        campaign = campaign_of(file, opened, settings)
        axes = {name for one in campaign.planned for name in one.axes}
        every_step = "migration" in kinds and "rule.steps" not in axes
        rows = campaign.rows(every_step, pool_folds="data.fold" in axes)
    return Table.of(rows)


def _traces(folder: Path) -> list[Chart]:
    from spikedoor.errors import ConfigError
    from spikedoor.report.charts import Chart
    from spikedoor.report.traces import output_figure
    from spikedoor.study.probe import probe

    if not folder.is_dir():
        raise ConfigError(
            f"figure 'traces': {folder} is no folder that 'spikedoor run' has made; a store keeps "
            "no membrane"
        )
    found = probe(folder)
    told = (
        f"Output neurons of the victim at test sample {found.index}, of class "
        f"{found.classes[found.label]}, clean and triggered (n = 1)."
    )
    return [Chart("traces", output_figure(found), told)]
