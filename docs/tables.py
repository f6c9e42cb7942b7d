"""Write the tables of README and documentation: from docs/results, and from the registry.

    spikedoor table studies/NAME.toml --mean --all --format csv --out docs/results/NAME.csv
    python docs/tables.py --write

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; without `--write` all are
printed. The commit that brought a file of results is told in docs/results/commits.json.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

import from_attackers as attackers  # noqa: E402
import from_foreign as foreign  # noqa: E402
import from_results as made  # noqa: E402

PLACE = re.compile(r"(<!-- table: (\S+) -->\n\n).*?(\n\n<!-- end of table -->)", re.DOTALL)


def methods() -> str:
    """Return how many members each family has, and their names."""
    from spikedoor.cli.catalogue import KINDS, family

    lines = []
    for kind in KINDS:
        names = family(kind).names()
        listed = ", ".join(f"`{name}`" for name in names)
        lines.append([kind.replace("-", " "), str(len(names)), listed])
    return made.table(["kind", "", "names"], lines)


HYBRIDS = ["part", "rule.surrogate", "rule.finetune_on"]
RATES = ["part", "rule.neuron", "attack.rate"]
TABLES: dict[str, Callable[[], str]] = {
    "methods": methods,
    "overview": made.overview,
    **{
        f"{name}-{trigger}": partial(made.migration, name, trigger)
        for name in ("migration", "migration-mnist")
        for trigger in ("patch", "blended", "sig")
        if (name, trigger) != ("migration-mnist", "sig")
    },
    "hybrids-mnist": partial(made.full, "hybrids-mnist", HYBRIDS, stage="finetuned"),
    "hybrids": partial(made.full, "hybrids", ["rule.finetune_on"], stage="finetuned"),
    "rates": partial(made.full, "rates", RATES),
    "events": made.events,
    "timing": partial(made.timing, "timing"),
    "timing-simulated": partial(made.timing, "timing-simulated"),
    **{
        f"{name}{place}": partial(make, f"defences{place}")
        for place in ("", "-mnist", "-nmnist")
        for name, make in {
            "detectors": made.detectors,
            "detectors-in-full": made.detectors_in_full,
            "eliminators": made.eliminators,
            "eliminators-in-full": made.eliminators_in_full,
        }.items()
    },
    "false-alarms": partial(
        made.alarms, "clean-victims", training="knows training samples", test="knows new samples"
    ),
    "false-alarms-models": partial(
        made.alarms, "clean-models", published="published threshold", critical="critical threshold"
    ),
    "detectors-new": partial(made.at_own_threshold, "defences-new"),
    "detectors-critical": partial(made.at_own_threshold, "defences-critical", "twin_false_alarms"),
    "teco": made.teco,
    "backdoorbench-detectors": partial(made.detectors_in_full, "backdoorbench"),
    "backdoorbench-eliminators": partial(made.eliminators_in_full, "backdoorbench"),
    "data-audit": made.data_audit,
    "attacker-weights": attackers.weights,
    "attacker-victims": attackers.victims,
    "attacker-patch": partial(attackers.found, "patch"),
    "attacker-blended": partial(attackers.found, "blended"),
    "foreign-models": foreign.networks,
    "foreign-detectors": foreign.detectors,
    "foreign-repairs": foreign.repairs,
    "foreign-cleaned": foreign.cleaned,
    "wrapped-models": foreign.wrapped,
}


def documents() -> list[Path]:
    """Return the files that may have tables."""
    return [HERE.parent / "README.md", *sorted(HERE.rglob("*.md"))]


def filled(text: str) -> str:
    """Return a document with its tables made anew."""
    return PLACE.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[3]}", text)


def main(arguments: list[str]) -> None:
    """Write the tables into the documents, or print them."""
    if arguments == ["--write"]:
        for path in documents():
            text = path.read_text(encoding="utf-8")
            path.write_text(filled(text), encoding="utf-8")
    elif arguments:
        sys.exit(f"usage: python docs/tables.py [--write], got {' '.join(arguments)}")
    else:
        print("\n\n".join(f"{name}\n\n{make()}" for name, make in TABLES.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
