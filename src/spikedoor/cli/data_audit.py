"""The part of the verb audit that is about data: which samples look poisoned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spikedoor.cli.named import data_source
from spikedoor.cli.output import claimed, print_json, printable, say

if TYPE_CHECKING:
    from spikedoor.data.source import Inventory
    from spikedoor.study.data_audit import DataAudit

__all__ = ["Out", "Seed", "Trusted", "audit_data", "refuse_with_a_victim"]

Trusted = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER|FILE",
        help="Samples known to be clean: a folder like the data, or their names, one a line.",
    ),
]
Seed = Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the small victim.")]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="New folder for scores and contact sheet.")
]

_WORST, _UNUSUAL = 40, 16  # samples on the contact sheet, where some are named and where none is
_SHOWN = 10  # names on the screen
_MAX_LIST = 1 << 24  # bytes of a list of trusted samples


def refuse_with_a_victim(trusted: Path | None, seed: int, out: Path | None) -> None:
    """Refuse what an audit of data takes and one of a victim does not."""
    from spikedoor.errors import ConfigError

    given = {"--trusted": trusted, "--seed": seed or None, "--out": out}
    for option in (name for name, value in given.items() if value is not None):
        raise ConfigError(f"{option} goes with an audit of data: leave out DIR, or the option")


def audit_data(
    data: str | None,
    trusted: Path | None,
    sensor: str | None,
    size: int | None,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Train a small victim on data, write and say which samples look poisoned.

    Raises:
        typer.Exit: With 1 where there are any.
    """
    from spikedoor.errors import ConfigError
    from spikedoor.files import new_folder

    if data is None:
        raise ConfigError("audit: expected a victim's folder, or --data with the data to audit")
    source = data_source(data, sensor, size)
    with claimed(out, "audit") as folder:
        inventory = source.inventory()
        known = None if trusted is None else _trusted(trusted, inventory, sensor, size)
        from spikedoor.study.data_audit import audit_data as ask

        found = ask(inventory, known, seed)
        told = {"data": source.to_dict(), "seed": seed, **_told(found)}
        with new_folder(folder) as place:
            _write(found, told, place)
        if as_json:
            print_json({**told, "out": str(folder)})
        else:
            _print(found, folder)
    if found.suspicious.any():
        raise typer.Exit(1)


def _trusted(path: Path, inventory: Inventory, sensor: str | None, size: int | None) -> Any:
    """Return the samples of a folder, or those of the data that a file lists."""
    if path.is_file():
        return _listed(path, inventory)
    return data_source(str(path), sensor, size).inventory().samples


def _listed(path: Path, inventory: Inventory) -> Any:
    import numpy as np

    from spikedoor.errors import ConfigError, hint
    from spikedoor.files import read_plain

    try:
        text = read_plain(path, _MAX_LIST).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--trusted: {path} cannot be read as a list ({error})") from None
    index = {name: i for i, name in enumerate(inventory.names)}
    names = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    for name in (name for name in names if name not in index):
        near = hint(name, index) if len(index) < 10_000 else ""
        near = near if near.startswith("; did") else f"; names look like {inventory.names[0]}"
        raise ConfigError(f"--trusted: {path} has '{name}', which the data have not{near}")
    if not names:
        raise ConfigError(f"--trusted: {path} lists no sample")
    return inventory.samples.subset(np.array([index[name] for name in names]))


def _told(found: DataAudit) -> dict[str, Any]:
    """Return all but the scores as plain values."""
    return {
        "verdict": found.verdict,
        "suspicious": [found.row(i) for i in found.order[: found.suspicious.sum()].tolist()],
        "classes": {
            name: {"suspicious": count, "samples": total}
            for name, (count, total) in found.by_class().items()
        },
        "samples": len(found.labels),
        "trusted": found.trusted,
        "victim_accuracy": found.accuracy,
        "methods": {
            name: {
                "names": name in found.naming,
                "threshold": one.threshold,
                "flagged": int(one.flagged.sum()),
                "details": one.details,
            }
            for name, one in found.detections.items()
        },
        "not_asked": found.refused,
        "seconds": found.seconds,
    }


def _write(found: DataAudit, told: dict[str, Any], folder: Path) -> None:
    """Write ``audit.json``, ``scores.csv`` with every sample, and ``suspects.png``."""
    import csv
    import io

    from spikedoor.files import write_bytes
    from spikedoor.report.figures import save
    from spikedoor.report.suspects import contact_sheet

    write_bytes(folder / "audit.json", json.dumps(told, indent=1, allow_nan=False).encode())
    rows = [found.row(i) for i in found.order.tolist()]
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(folder / "scores.csv", table.getvalue().encode())
    named = int(found.suspicious.sum())
    worst = found.order[: min(named, _WORST) or _UNUSUAL]
    captions = [(row["class"], row["name"]) for row in rows[: len(worst)]]
    title = f"{named} of {len(rows)} samples named"
    if named != len(worst):
        title += f"; the {len(worst)} " + ("worst" if named else "least usual ones")
    sheet = contact_sheet(found.inventory.samples.batch(worst), captions, title)
    save(sheet, folder / "suspects.png")


def _print(found: DataAudit, folder: Path) -> None:
    named = int(found.suspicious.sum())
    classes = found.inventory.samples.classes
    say(
        f"{len(found.labels)} samples, {len(classes)} classes; small victim trained in "
        f"{found.seconds['victim']:.0f} s, agrees with {100 * found.accuracy:.1f} % of the labels; "
        f"detectors {found.seconds['detectors']:.0f} s"
    )
    wide = max(map(len, (*found.detections, *found.refused)))
    for name, one in found.detections.items():
        part = "" if name in found.naming else ", which names none by itself"
        say(f"  {name:{wide}}  flags {int(one.flagged.sum())}{part}")
    for name, reason in found.refused.items():
        say(f"  {name:{wide}}  not asked: {reason}")
    say(f"Verdict: {found.verdict}" + (f", {named} named" if named else ""))
    for name, (count, total) in found.by_class().items():
        say(f"  class {printable(name)}: {count} of {total}")
    for i in found.order[: min(named, _SHOWN)].tolist():
        row = found.row(i)
        apart = max(row[name] / one.threshold for name, one in found.naming.items())
        say(
            f"    {printable(row['name'])}  (class {printable(row['class'])}, flagged by "
            f"{row['votes']} of {len(found.detections)}, {apart:.2f} times a threshold)"
        )
    if named > _SHOWN:
        say(f"    and {named - _SHOWN} more in scores.csv")
    for line in _doubt(found):
        say(line)
    say(f"Written: {folder}/suspects.png, scores.csv, audit.json")


def _doubt(found: DataAudit) -> list[str]:
    """Return what the verdict rests on, and what it can miss."""
    basis = "Assumed: most samples of each class are clean"
    if found.trusted:
        basis += f", and all {found.trusted} trusted ones; these serve the methods that second."
    else:
        basis += "; no trusted samples were given."
    if found.suspicious.any():
        doubt = (
            "Doubt: named is a group that lies apart from the rest of its class. It may be poison, "
            "wrong labels, or a rare kind of clean sample; look at suspects.png."
        )
    else:
        doubt = (
            "Doubt: this is no proof of a clean set. Faint or rare poison leaves no group that the "
            "small victim could show; docs/data-audit.md has how much was missed."
        )
    return [basis, doubt]
