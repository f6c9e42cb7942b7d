"""The verb that looks into a victim: probe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spikedoor.cli.output import print_json, say

if TYPE_CHECKING:
    from spikedoor.records.traces import Course, Probed

__all__ = ["probe"]

PROBE_EXAMPLES = """\b
Examples:
  spikedoor probe runs/digits-1
  spikedoor probe runs/digits-1 --class 3 --out traces.svg
  spikedoor probe runs/digits-1 --sample 17 --twin --json
  spikedoor probe runs/digits-1 --sample 17 --keep
"""


def probe(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `spikedoor run` has made.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="PICTURE", help="PNG, SVG, PDF; DIR-traces.png without."),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Test sample; without, the first that is turned."),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Take a sample of this class.")
    ] = None,
    twin: Annotated[
        bool, typer.Option("--twin", help="Look at the clean twin, as the control.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Put the sample into DIR, for the page of `report`.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the numbers behind the picture as JSON.")
    ] = False,
) -> None:
    """Draw the output neurons at one test sample.

    Clean and triggered: membrane, spikes and cumulative voltage of each class, for each spiking
    stage of a victim whose record and weights are in DIR. Where its readout counts no spikes, the
    output neurons are of the stage's own model, with the settings it began with, and no part of
    its answer.
    """
    from spikedoor.errors import ConfigError
    from spikedoor.report.figures import check_picture

    if keep and twin:
        raise ConfigError("--keep: a page shows the victim; leave out --twin")
    picture = check_picture(out or Path(f"{folder.resolve().name}-traces.png"))
    from spikedoor.report.figures import save
    from spikedoor.report.traces import output_figure
    from spikedoor.study.probe import probe

    found = probe(folder, sample, label, "twin" if twin else "victim")
    if keep:
        from spikedoor.study.samples import keep as put

        put(folder, found)
    save(output_figure(found), picture)
    if json:
        print_json({"picture": str(picture), **_numbers(found)})
        return
    say(
        f"Test sample {found.index} of class {found.classes[found.label]}, "
        f"target {found.classes[found.target]}"
    )
    width = max(len(traces.stage) for traces in found.stages)
    for traces in found.stages:
        clean, triggered = (
            found.classes[course.predicted] for course in (traces.clean, traces.triggered)
        )
        say(f"  {traces.stage:{width}}  clean: {clean}, triggered: {triggered}")
    say(f"Picture: {picture}")


def _numbers(found: Probed) -> dict[str, Any]:
    def plain(course: Course) -> dict[str, Any]:
        return {
            "predicted": found.classes[course.predicted],
            **{
                name: getattr(course, name).tolist()
                for name in ("membrane", "spikes", "current", "voltage")
            },
        }

    return {
        "sample": found.index,
        "class": found.classes[found.label],
        "target": found.classes[found.target],
        "classes": list(found.classes),
        "stages": {
            traces.stage: {
                "threshold": traces.threshold,
                "clean": plain(traces.clean),
                "triggered": plain(traces.triggered),
            }
            for traces in found.stages
        },
    }
