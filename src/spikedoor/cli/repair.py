"""The verb that cleans a network whose trigger nobody knows: repair."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikedoor.cli import foreign
from spikedoor.cli.named import Sensor, Size, component_table
from spikedoor.cli.names import complete_data, complete_defence
from spikedoor.cli.output import print_json, say
from spikedoor.cli.victims import Clean, victim_of

if TYPE_CHECKING:
    from spikedoor.victim import Stage

__all__ = ["REPAIR_EXAMPLES", "repair"]

REPAIR_EXAMPLES = """\b
Examples:
  spikedoor repair stranger --with fine-pruning --data mnist --out mended
  spikedoor repair a.nir --with anp --data mnist --steps 8 --out b.nir
  spikedoor audit mended --data mnist
"""


def repair(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|FILE.nir", help="A victim, what `spikedoor run` has made, or NIR."
        ),
    ],
    method: Annotated[
        str,
        typer.Option(
            "--with",
            metavar="NAME",
            help="An eliminator, or its TOML.",
            autocompletion=complete_defence,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR|FILE.nir", help="New folder or NIR file for the result."),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FOLDER", help="Data of the victim.", autocompletion=complete_data
        ),
    ] = None,
    clean: Clean = 0.05,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    sensor: Sensor = None,
    size: Size = None,
    steps: foreign.Steps = None,
    dt: foreign.Dt = None,
    reset: foreign.Reset = None,
    solver: foreign.Solver = None,
) -> None:
    """Repair a victim or a NIR file by clean samples.

    For networks whose trigger is not known: what is left of a backdoor cannot be measured without
    it, so audit the result again. `defend` does the same for a run, whose trigger is known, and
    measures it.
    """
    from spikedoor.defences import Defender, Eliminator
    from spikedoor.defences.plan import DefencePlan
    from spikedoor.errors import ConfigError, OutputError
    from spikedoor.files import check_free
    from spikedoor.metrics import clean_accuracy, diverged

    chosen = DefencePlan.from_dict({"method": component_table(method), "clean": clean}).method
    if not isinstance(chosen, Eliminator) or chosen.needs_training_set:
        raise ConfigError(
            f"--with: expected an eliminator that needs clean samples alone, got '{chosen.name}'"
            + (
                ", which needs the victim's training set"
                if chosen.needs_training_set
                else "; `spikedoor list defences` says which repair"
            )
        )
    told = foreign.Told(steps, dt, reset, solver)
    if not foreign.is_nir(folder):
        told.refuse()
    check_free(_folder_of(out))
    if foreign.is_nir(out) and out.exists():
        raise OutputError(f"{out}: there is a file already; name another one")
    victim, dataset = victim_of(folder, data, sensor, size, told)
    stage = victim.final
    made = chosen.repair(stage, Defender.of(dataset.train, clean))
    _write(made, out, dt)
    test = dataset.test
    before, after = (clean_accuracy(one.predict(test)[-1], test.labels) for one in (stage, made))
    if json:
        print_json(
            {
                "stage": made.name,
                "method": chosen.to_dict(),
                "before": before.to_dict(),
                "after": after.to_dict(),
                "out": str(out),
            }
        )
        return
    say(f"Stage {made.name}, {chosen.name}")
    say(f"Right about test samples: {before} before, {after} after")
    say(f"Repaired: {out}")
    if diverged(before, len(test.classes)):
        say("It knew next to nothing of these data before, so this says nothing: audit it first.")
    say(
        "Doubt: what is left of a backdoor is not known without its trigger; "
        "`spikedoor show defence NAME` says when a method fails. Audit the result."
    )


def _folder_of(out: Path) -> Path:
    """Return the folder for a victim: the one that is named, or that beside a NIR file."""
    return out.with_suffix("") if foreign.is_nir(out) else out


def _write(stage: Stage, out: Path, dt: float | None) -> None:
    """Write a repaired stage; what NIR has no word for is kept as a victim.

    Raises:
        ConfigError: If NIR cannot express it; says where it is instead.
    """
    from spikedoor.errors import ConfigError
    from spikedoor.victim import Victim, nir

    folder = _folder_of(out)
    if folder == out:
        Victim((stage,)).save(folder)
        return
    try:
        nir.write(stage, out, nir.DT if dt is None else dt)
    except ConfigError as error:
        Victim((stage,)).save(folder)
        raise ConfigError(f"{error}; it is repaired, and kept as a victim in {folder}") from None
