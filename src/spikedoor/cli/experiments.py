"""The verbs about experiments: demo, run, check, preview."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikedoor.cli.names import complete_experiment
from spikedoor.cli.output import (
    claimed,
    complain,
    print_json,
    print_records,
    remark,
    say,
    say_entry,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spikedoor.data.events import Events
    from spikedoor.study import Experiment

__all__ = ["check", "demo", "preview", "run"]

DEMO_EXAMPLES = """\b
Examples:
  spikedoor demo
  spikedoor demo --out first-look --seed 1
"""
RUN_EXAMPLES = """\b
Examples:
  spikedoor run experiment.toml
  spikedoor run experiment.toml --set attack.rate=0.1 --out high-rate
  spikedoor run experiment.toml --set rule=conversion --no-twin --json
  spikedoor run digits --every-step
  spikedoor run runs/digits-1/record.json
"""
CHECK_EXAMPLES = """\b
Examples:
  spikedoor check experiment.toml
  spikedoor check studies/*.toml
"""
PREVIEW_EXAMPLES = """\b
Examples:
  spikedoor preview experiment.toml
  spikedoor preview experiment.toml --set attack.trigger.size=5
"""

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE.toml",
        help="The experiment, a preset's name, or a run's record.json.",
        autocompletion=complete_experiment,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Set a key of the file; may be repeated."),
]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="New folder for what is made.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")]


def demo(
    out: Out = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of everything random.")] = 0,
    json: Json = False,
) -> None:
    """Measure three learning rules on the embedded digits.

    A victim and a clean twin by each rule, and by one of them on recordings of a simulated event
    camera; about a minute on two cores.

    Records and a picture go to a new folder, runs/demo-N by default.
    """
    start = time.perf_counter()
    with claimed(out, "demo") as folder:
        from spikedoor.files import new_folder
        from spikedoor.report.figures import overview, save
        from spikedoor.report.rows import to_json
        from spikedoor.study.demo import demo

        with new_folder(folder) as aside:
            records = demo(aside, seed)
            save(overview(records), aside / "overview.png")
    seconds = time.perf_counter() - start
    if json:
        print_json({"folder": str(folder), "seconds": seconds, "records": to_json(records)})
        return
    print_records(records)
    say(f"\nPicture: {folder / 'overview.png'}")
    say(f"Records: {', '.join(str(folder / n) for n in ('lr_b', 'lr_c', 'lr_h', 'events'))}")
    remark(f"Took {seconds:.1f} s.")


def run(
    file: File,
    settings: Settings = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Override of the file's seed.")
    ] = None,
    out: Out = None,
    json: Json = False,
    every_step: Annotated[
        bool, typer.Option("--every-step", help="Show each time step, not the last alone.")
    ] = False,
    no_twin: Annotated[
        bool, typer.Option("--no-twin", help="Train no clean twin: half the time, no control.")
    ] = False,
) -> None:
    """Run an experiment and print its scores.

    Train the victim and its clean twin, and put both to the test. The record goes to a new
    folder, runs/NAME-N by default.
    """
    start = time.perf_counter()
    experiment = _load(file, settings, seed)
    if no_twin:
        experiment = experiment.model_copy(update={"twin": False})
    with claimed(out, file.stem) as folder:
        from spikedoor.report.rows import to_json
        from spikedoor.study import run

        record = run(experiment, folder)
    seconds = time.perf_counter() - start
    if json:
        print_json(
            {"folder": str(folder), "seconds": seconds, "records": to_json([record], every_step)}
        )
        return
    print_records([record], every_step)
    say(f"\nRecord: {folder}")
    remark(f"Took {seconds:.1f} s.")


def check(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE.toml...",
            help="Experiments, sweeps, or names of presets.",
            autocompletion=complete_experiment,
        ),
    ],
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Validate experiments and sweeps, without data or training."""
    from spikedoor.errors import SpikedoorError

    found: list[dict[str, object]] = []
    for file in files:
        try:
            brief, about = _checked(file, tuple(settings or ()))
        except SpikedoorError as error:
            found.append({"file": str(file), "ok": False, "error": str(error)})
            if not json:
                complain(str(error))
            continue
        found.append({"file": str(file), "ok": True, **about})
        if not json:
            say(f"{file}: ok")
            say_entry("  ", brief)
    if json:
        print_json(found)
    if not all(entry["ok"] for entry in found):
        raise typer.Exit(2)


def _checked(file: Path, settings: tuple[str, ...]) -> tuple[str, dict[str, object]]:
    """Return in brief what a valid file describes, and the same as plain values."""
    from spikedoor.study import load, load_sweep, located
    from spikedoor.study.sweep import is_sweep

    file = located(file)
    if is_sweep(file):
        planned = load_sweep(file, settings).experiments()
        brief = (
            f"sweep of {len(planned)} experiments; the first: {_in_brief(planned[0].experiment)}"
        )
        return brief, {"experiments": [one.experiment.to_dict() for one in planned]}
    experiment = load(file, settings)
    return _in_brief(experiment), {"experiment": experiment.to_dict()}


def preview(
    file: File,
    settings: Settings = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PICTURE", help="PNG, SVG or PDF; FILE-preview.png without."),
    ] = None,
    json: Json = False,
) -> None:
    """Draw what the trigger does to some samples.

    And print how much it changes them. Of recordings, PICTURE may also be a GIF that plays them.
    """
    from spikedoor.report.figures import FORMATS, check_picture, save
    from spikedoor.report.preview import changes, sheet

    experiment = _load(file, settings)
    picture = out or Path(f"{file.stem}-preview.png")
    recordings = experiment.data.modality == "event"
    check_picture(picture, (*FORMATS, "gif") if recordings else FORMATS)
    from spikedoor.study.examples import examples, gallery

    data = experiment.data.load()
    attack = experiment.attack.prepare(data.train, experiment.seed)
    classes = data.test.classes
    title = f"{attack.trigger.name} on {data.name}"
    if recordings:
        clean, triggered, labels = examples(data, attack)
        found = _draw_recordings(clean, triggered, labels, classes, title, picture)
    else:
        shown = gallery(data, attack)
        save(sheet(shown, classes, title), picture)
        labels = shown.labels
        found = [(str(change), change._asdict()) for change in changes(shown)]
    if json:
        samples = [
            {"class": classes[label], **change}
            for label, (_, change) in zip(labels, found, strict=True)
        ]
        print_json({"picture": str(picture), "samples": samples})
        return
    say(title)
    width = max(len(classes[label]) for label in labels)
    for label, (told, _) in zip(labels, found, strict=True):
        say(f"  {classes[label]:{width}}  {told}")
    say(f"Picture: {picture}")


def _draw_recordings(
    clean: Events,
    triggered: Events,
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    title: str,
    picture: Path,
) -> list[tuple[str, dict[str, float]]]:
    """Draw recordings, or play them, and return what changed in each, as text and as numbers."""
    from dataclasses import asdict

    from spikedoor.report.animation import animation, save_animation
    from spikedoor.report.figures import save
    from spikedoor.report.recordings import budgets, recording_sheet

    if picture.suffix.lower() == ".gif":
        save_animation(animation(clean, triggered, labels, classes), picture)
    else:
        save(recording_sheet(clean, triggered, labels, classes, title), picture)
    return [
        (
            f"{one.added:.0f} events added, {one.removed:.0f} removed, {one.moved:.0f} moved "
            f"({100 * one.share:.1f} %)",
            asdict(one),
        )
        for one in budgets(clean, triggered)
    ]


def _load(file: Path, settings: list[str] | None, seed: int | None = None) -> Experiment:
    from spikedoor.errors import ConfigError
    from spikedoor.study import load, located
    from spikedoor.study.sweep import is_sweep

    if is_sweep(located(file)):
        raise ConfigError(f"{file}: expected one experiment, found a sweep; see 'spikedoor sweep'")
    return load(file, tuple(settings or ()), seed)


def _in_brief(experiment: Experiment) -> str:
    attack, rule = experiment.attack, experiment.rule
    target = ", ".join(f"{k} {v}" for k, v in attack.target.to_dict().items() if k != "name")
    steps = getattr(rule, "steps", None)
    return "; ".join(
        [
            f"data {experiment.data.name}",
            f"attack {attack.trigger.name} -> {attack.target.name} ({target})",
            f"rate {attack.rate:g}",
            f"network {experiment.network.name}",
            f"rule {rule.name}" + (f", T={steps}" if steps else ""),
            f"seed {experiment.seed}",
            f"device {experiment.device}",
            "with clean twin" if experiment.twin and attack.rate else "no clean twin",
        ]
    )
