"""The verb that holds a preset against published numbers: reproduce."""

from __future__ import annotations

import json as _json
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikedoor.cli.names import complete_experiment
from spikedoor.cli.output import print_json, remark, say
from spikedoor.cli.sweeps import (
    DEFAULT_STORE,
    Json,
    Settings,
    StoreFolder,
    Workers,
    complain_of_failures,
    pin_name,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spikedoor.study import Campaign, Comparison

__all__ = ["reproduce"]

REPRODUCE_EXAMPLES = """\b
Examples:
  spikedoor list presets
  spikedoor reproduce badnets-pytorch-mnist-short
  spikedoor reproduce backdoorbench-badnets --seeds 0,1,2 --set device=cuda
  spikedoor reproduce mine.toml --json
"""

Name = Annotated[
    str,
    typer.Argument(
        metavar="PRESET",
        help="Its name, or a file FILE.toml.",
        autocompletion=complete_experiment,
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option(metavar="N,N,...", help="One run for each; the preset's own seed by default."),
]


def reproduce(
    preset: Name,
    seeds: Seeds = None,
    settings: Settings = None,
    store: StoreFolder = DEFAULT_STORE,
    workers: Workers = 0,
    json: Json = False,
) -> None:
    """Run a preset, and compare it with published numbers.

    Each published number stands beside the mean over the seeds. What is in the store is not made
    again, so that a run that was stopped goes on where it was. Exit 1 if a number is outside its
    tolerance or missing.
    """
    start = time.perf_counter()
    from spikedoor.cli.live import live
    from spikedoor.records import Store
    from spikedoor.study import compare, engine_of, load_preset, reproduction

    loaded = load_preset(preset, tuple(settings or ()))
    campaign = reproduction(loaded, Store(store), _numbers(seeds))
    todo = campaign.missing()
    with engine_of(campaign, workers=workers) as engine, live(campaign, todo) as watch:
        board = campaign.run(engine, todo, watch, name=_pin(preset, campaign))
    rows = campaign.rows()
    found = compare(loaded.expected, rows)
    good = not board.failed and all(one.verdict == "within" for one in found)
    if json:
        print_json(
            {
                "preset": preset,
                "about": loaded.about,
                "experiments": [one.experiment.to_dict() for one in campaign.planned],
                "rows": rows,
                "comparisons": [one.to_dict() for one in found],
                "reproduced": good if found else None,
                "failed": board.failed,
                "seconds": time.perf_counter() - start,
                "store": str(store),
            }
        )
    else:
        _print(loaded.about or preset, rows, found)
        remark(f"Store: {store}. Took {time.perf_counter() - start:.1f} s.")
    complain_of_failures(campaign, board)
    if not good:
        raise typer.Exit(1)


def _numbers(seeds: str | None) -> tuple[int, ...] | None:
    from spikedoor.errors import ConfigError

    if seeds is None:
        return None
    try:
        return tuple(int(part) for part in seeds.replace(",", " ").split())
    except ValueError:
        raise ConfigError(f"--seeds: expected whole numbers such as 0,1,2, got '{seeds}'") from None


def _pin(preset: str, campaign: Campaign) -> str:
    """Return a name of its own for these experiments, so that other seeds keep theirs."""
    experiments = [one.experiment.to_dict() for one in campaign.planned]
    return pin_name(f"reproduce-{Path(preset).stem}", _json.dumps(experiments, sort_keys=True))


def _print(about: str, rows: Sequence[dict], found: list[Comparison]) -> None:
    from spikedoor.cli.tables import main_columns
    from spikedoor.records import Table

    table = Table.of(rows).mean()
    say(about)
    say()
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    shown = [name for name in main_columns(table.columns) if name != "part"]
    say(table.select(*shown).text(width).rstrip("\n"))
    say()
    if not found:
        say("No published numbers are known for this preset: there is nothing to compare.")
        return
    lines = [("stage", "measure", "published", "measured", "difference", "verdict", "source")]
    lines += [_line(one) for one in found]
    wide = [max(len(line[column]) for line in lines) for column in range(6)]
    for line in lines:
        cells = (f"{cell:{width}}" for cell, width in zip(line, wide, strict=False))
        say("  ".join((*cells, line[-1])))


def _line(one: Comparison) -> tuple[str, str, str, str, str, str, str]:
    expected = one.expected
    published = f"{100 * expected.value:.2f} ± {100 * expected.tolerance:.2f} %"
    measured, difference = one.reason, ""
    if one.measured is not None and one.difference is not None:
        low, high = one.interval
        limits = "" if low is None or high is None else f" [{100 * low:.2f}, {100 * high:.2f}]"
        measured = f"{100 * one.measured:.2f}{limits} (n={one.runs})"
        difference = f"{100 * one.difference:+.2f}"
    return (
        expected.stage,
        expected.measure,
        published,
        measured,
        difference,
        one.verdict,
        expected.source,
    )
