"""The three rules on one data set and several seeds; LR_C and LR_H share each ANN.

    python studies/three_rules.py mnist --seeds 0 1 2 --out runs/three-rules-mnist

Runs the presets ``<data>-direct``, ``-conversion`` and ``-hybrid``, each with its clean twin, and
writes a record for each rule and seed. What is there already is not run again, so an interrupted
study goes on where it stopped.
"""

from __future__ import annotations

import argparse
import resource
from pathlib import Path

import spikedoor.study
from spikedoor.records import Record
from spikedoor.study import Workshop, load, run

PRESETS = Path(spikedoor.study.__file__).parent / "presets"
RULES = ("direct", "conversion", "hybrid")


def line(seed: int, record: Record, stage: str) -> str:
    """Return one line: seed, rule, stage and its scores."""
    scores = record.evaluation.scores(stage)
    twin = record.evaluation.twin_scores(stage)
    return (
        f"seed {seed}  {record.rule:<11}{stage:<10} T={scores.step:<3} CA {scores.clean_accuracy}  "
        f"ASR {scores.attack_success}  clean {twin.attack_success if twin else None}  "
        f"ratio {scores.migration_ratio}  retained {scores.migration_retained}  "
        f"{record.stages[stage]['seconds']:.0f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", choices=["mnist", "cifar10"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    for seed in options.seeds:
        workshop = Workshop()
        for rule in options.rules:
            folder = options.out / f"{rule}-{seed}"
            if (folder / "record.json").exists():
                record = Record.read(folder)
            else:
                preset = PRESETS / f"{options.data}-{rule}.toml"
                record = run(load(preset, tuple(options.set), seed), folder, workshop)
            for stage in record.evaluation.stages:
                print(line(seed, record, stage), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
