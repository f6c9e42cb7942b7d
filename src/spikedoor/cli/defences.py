"""The verbs about defences: defend, audit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from spikedoor.cli import data_audit, foreign
from spikedoor.cli.named import Sensor, Size, component_table
from spikedoor.cli.names import complete_data, complete_defence
from spikedoor.cli.output import print_json, say
from spikedoor.cli.victims import VICTIM, Clean, victim_of

if TYPE_CHECKING:
    from spikedoor.study.audit import Audit
    from spikedoor.study.defend import Defended
    from spikedoor.victim import Victim

__all__ = ["audit", "defend"]

DEFEND_EXAMPLES = """\b
Examples:
  spikedoor defend runs/digits-1 --with activation-clustering
  spikedoor defend runs/digits-1 --with fine-tuning --with anp --clean 0.1
  spikedoor defend runs/digits-1 --with '{ name = "strip", overlays = 9 }'
  spikedoor defend runs/digits-1 --with fine-pruning --stage ann --out fixed
"""
AUDIT_EXAMPLES = """\b
Examples:
  spikedoor audit runs/digits-1
  spikedoor audit models/stranger --data mnist --clean 0.02
  spikedoor audit stranger.nir --data mnist --steps 8 --reset soft
  spikedoor audit --data photographs --size 32 --out runs/audit-1
  spikedoor audit --data recordings --sensor 34x34 --trusted checked
"""


def defend(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `spikedoor run` has made.")],
    methods: Annotated[
        list[str],
        typer.Option(
            "--with",
            metavar="NAME",
            help="A defence, or its TOML; repeat.",
            autocompletion=complete_defence,
        ),
    ],
    stage: Annotated[
        Literal["final", "ann"], typer.Option(help="Stage to work on.", show_default=True)
    ] = "final",
    clean: Clean = 0.05,
    clean_from: Annotated[
        Literal["training", "test"],
        typer.Option(help="Of which set; 'test' for detectors of inputs.", show_default=True),
    ] = "training",
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="New folder for the repaired victim, of one eliminator."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Put defences to the victim of a run, and say what came of it.

    Detectors are held to the truth of the record; the clean twin shows their false alarms.
    """
    from spikedoor.defences.plan import DefencePlan
    from spikedoor.errors import ConfigError
    from spikedoor.files import check_free
    from spikedoor.study.defend import defend as carry_out

    has = {"stage": stage, "clean": clean, "clean_from": clean_from}
    plans = [DefencePlan.from_dict({"method": component_table(text), **has}) for text in methods]
    if out is not None:
        if len(plans) > 1 or plans[0].method.task != "eliminate":
            raise ConfigError("--out: expected one eliminator, whose victim is to be written")
        check_free(out)
    found = carry_out(folder, plans)
    if out is not None and found[0].repaired is not None:
        found[0].repaired.save(out)
    if json:
        print_json([{"defence": one.plan.to_dict(), "rows": one.rows} for one in found])
        return
    for one in found:
        for line in _told(one):
            say(line)
    if out is not None:
        say(f"Repaired victim: {out}")


def _told(one: Defended) -> list[str]:
    """Return what came of a defence, in a few lines."""
    plan = one.plan
    whose = " of the test set" if plan.clean_from == "test" else ""
    lines = [f"{plan.method.name} on stage {plan.stage}, {100 * plan.clean:g} % clean{whose}"]
    for row in one.rows:
        lines.append(
            f"  {row['stage']:10} clean accuracy {_share(row, 'clean_accuracy')}, attack success "
            f"{_share(row, 'attack_success')} (clean model {_share(row, 'clean_model')}), "
            f"firing {_plain(row['firing_rate'])}"
        )
        if row.get("found_at_5.count") or row.get("found.count") or row.get("false_alarms.count"):
            lines.append(
                f"             AUROC {_area(row)}, found at 1 and 5 % false alarms "
                f"{_share(row, 'found_at_1')}, {_share(row, 'found_at_5')}"
            )
            lines.append(
                f"             at its own threshold found {_share(row, 'found')}, false alarms "
                f"{_share(row, 'false_alarms')}, of the clean twin "
                f"{_share(row, 'twin_false_alarms')}"
            )
        if row.get("effectiveness") is not None:
            lines.append(
                f"             effectiveness (DER) {100 * row['effectiveness']:.1f} %, synaptic "
                f"operations {_share(row, 'operations')} of those before"
            )
    return lines


def _share(row: dict[str, Any], name: str) -> str:
    if row.get(name) is None:
        return "–"
    told = f"{100 * row[name]:.1f} %"
    if row[f"{name}.low"] is None:
        return told
    low, high = 100 * row[f"{name}.low"], 100 * row[f"{name}.high"]
    return f"{told} [{low:.1f}, {high:.1f}]"


def _area(row: dict[str, Any]) -> str:
    if row.get("auroc") is None:
        return "–"
    return f"{row['auroc']:.3f} [{row['auroc.low']:.3f}, {row['auroc.high']:.3f}]"


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def audit(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR|FILE.nir", help="A victim, what `spikedoor run` has made, or NIR."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FOLDER",
            help="Data of the victim; alone, data to audit.",
            autocompletion=complete_data,
        ),
    ] = None,
    clean: Clean = 0.05,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    trusted: data_audit.Trusted = None,
    sensor: Sensor = None,
    size: Size = None,
    seed: data_audit.Seed = 0,
    out: data_audit.Out = None,
    steps: foreign.Steps = None,
    dt: foreign.Dt = None,
    reset: foreign.Reset = None,
    solver: foreign.Solver = None,
) -> None:
    """Look for a backdoor in a victim, or for poison in data.

    Every detector of models is asked. A record tells which data it was trained on; for a victim or
    a NIR file, name them with --data. Data alone are audited by training a small victim on them;
    --trusted, --seed and --out are for this. Nothing in the files can run code. Exit: 1 where
    something is found.
    """
    told = foreign.Told(steps, dt, reset, solver)
    if folder is None or not foreign.is_nir(folder):
        told.refuse()
    if folder is None:
        data_audit.audit_data(data, trusted, sensor, size, seed, out, json)
        return
    data_audit.refuse_with_a_victim(trusted, seed, out)
    from spikedoor.defences import Defender
    from spikedoor.study.audit import audit as ask

    wanted = f"{VICTIM}, or --data alone"
    victim, dataset = victim_of(folder, data, sensor, size, told, wanted)
    found = ask(victim.final, Defender.of(dataset.train, clean))
    if json:
        print_json(
            {
                "stage": victim.final.name,
                "clean_accuracy": found.clean_accuracy.to_dict(),
                "verdict": found.verdict,
                "accused": found.accused,
                "findings": [one.to_dict(found.classes) for one in found.findings],
            }
        )
    else:
        _print_audit(victim, found)
    if found.verdict == "backdoor":
        raise typer.Exit(1)


def _print_audit(victim: Victim, found: Audit) -> None:
    say(f"Stage {victim.final.name}, {len(found.classes)} classes")
    say(f"Right about clean samples: {found.clean_accuracy}")
    wide = max((len(one.method) for one in found.findings), default=0)
    for one in found.findings:
        if one.detection is None:
            say(f"  {one.method:{wide}}  cannot say: {one.refusal}")
            continue
        scores = one.detection.scores
        worst = found.classes[int(scores.argmax())]
        told = f"accuses {', '.join(one.accused)}" if one.accused else "accuses none"
        say(
            f"  {one.method:{wide}}  {told}; highest score {scores.max():.3g} (class {worst}), "
            f"threshold {one.detection.threshold:.3g}, {one.seconds:.1f} s"
        )
    votes = ", ".join(f"{name} by {count}" for name, count in found.accused.items())
    say(f"Verdict: {found.verdict}" + (f" (accused: {votes} of {found.asked})" if votes else ""))
    if found.at_chance:
        say(
            "It knows next to nothing of these data, so the verdict says nothing: was it trained "
            "on them, and are --steps, --dt, --reset and --solver of a NIR file as its library has "
            "them?"
        )
    say(
        "Doubt: each detector misses some backdoors and accuses some clean models; "
        "`spikedoor show defence NAME` says when it fails."
    )
