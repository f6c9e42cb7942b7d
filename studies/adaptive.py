"""An attacker who knows the detector and tunes the attack against it.

    python studies/adaptive.py strip spectral-signatures [--data digits] [--workers 2]

For each detector, the attacker trains victims of their own, on a seed of their own, with each of
some forms of the attack (rates, strengths, cover samples), and takes the form that the detector
tells from clean samples least, of those that still reach 90 % ASR. It is then put to victims of
other seeds, as the plain form is; the defender knows nothing of the choice. The attacker controls
the training data alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spikedoor.records import Store, Table
from spikedoor.study import Campaign, Sweep, engine_of

PATCH = {"name": "patch", "size": 3}
PLAIN: dict[str, Any] = {"rate": 0.05, "trigger": PATCH}
FORMS: list[dict[str, Any]] = [
    PLAIN,
    {"rate": 0.02, "trigger": PATCH},
    {"rate": 0.05, "cover": 0.05, "trigger": PATCH},
    {"rate": 0.02, "cover": 0.05, "trigger": PATCH},
    *(
        {"rate": rate, "trigger": {"name": "blended", "alpha": alpha}}
        for rate in (0.02, 0.05)
        for alpha in (0.1, 0.2, 0.3)
    ),
    {"rate": 0.05, "cover": 0.05, "trigger": {"name": "adaptive-blend"}},
    {"rate": 0.05, "cover": 0.05, "trigger": {"name": "adaptive-patch"}},
]
MEASURES = ("attack_success", "auroc", "found_at_5", "false_alarms")
ENOUGH = 0.9  # ASR that the attacker insists on
ATTACKER, VICTIMS = 100, (0, 1, 2)  # seeds


def main() -> None:
    """Tune against each detector, and print what it finds of the plain and of the tuned form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("detectors", nargs="+")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--clean", type=float, default=0.1, help="share that the defender has")
    parser.add_argument("--store", type=Path, default=Path("runs/adaptive"))
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    base = {
        "data": {"name": given.data, "test_limit": 1000},
        "network": {"name": "small-conv", "width": 8, "pool": "avg"},
        "rule": {
            "name": "direct",
            "training": {
                "epochs": 12 if given.data == "digits" else 2,
                "batch": 32,
                "optimiser": {"name": "adam", "lr": 5e-3},
            },
        },
    }
    print(
        "| detector | form of the attack | attack success | AUROC | found at 5 % | false alarms |"
    )
    print("|---|---|---|---|---|---|")
    for detector in given.detectors:
        setting = {**base, "defence": {"method": detector, "clean": given.clean}}
        own = measured(setting, FORMS, (ATTACKER,), given)
        tuned = FORMS[[row["attack"] for row in own.rows].index(least_told(own.rows)["attack"])]
        for label, form in (("plain", PLAIN), ("tuned", tuned)):
            (row,) = measured(setting, [form], VICTIMS, given).mean().rows
            cells = [share(row, name) for name in MEASURES]
            print(f"| {detector} | {label}: {row['attack']} | {' | '.join(cells)} |", flush=True)


def least_told(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the form that the detector tells least, of those that are attack enough."""
    able = [row for row in rows if row["attack_success"] and row["attack_success"] >= ENOUGH]
    if not able:
        raise SystemExit(
            f"no form of the attack reaches {ENOUGH:.0%} ASR; train longer or on more data"
        )
    return min(able, key=lambda row: row["auroc"])


def share(row: dict[str, Any], name: str) -> str:
    """Return a measure in % with its interval."""
    value, low, high = (100 * row[key] for key in (name, f"{name}.low", f"{name}.high"))
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def measured(
    setting: dict[str, Any],
    forms: list[dict[str, Any]],
    seeds: tuple[int, ...],
    given: argparse.Namespace,
) -> Table:
    """Run forms of the attack, and return the rows of the stage that the detector looks at."""
    sweep = Sweep(base=setting, grid={"attack": forms}, seeds=seeds)
    campaign = Campaign.of(sweep, Store(given.store))
    with engine_of(campaign, workers=given.workers) as engine:
        board = campaign.run(engine)
    assert not board.failed, board.failed
    return Table.of(row for row in campaign.rows() if row["auroc"] is not None)


if __name__ == "__main__":
    main()
