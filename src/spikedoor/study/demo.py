"""The demonstration: three learning rules on images, and one on recordings of events."""

from __future__ import annotations

from pathlib import Path

from spikedoor.attack import Attack, Patch
from spikedoor.attack.triggers import EventStatic
from spikedoor.data import Digits
from spikedoor.data.events.simulated import DigitsDvs
from spikedoor.files import check_free
from spikedoor.progress import bar
from spikedoor.records import Record
from spikedoor.rules import Conversion, Direct, Hybrid, Rule, Training
from spikedoor.rules.optimisers import Adam
from spikedoor.snn.encoding import Frames
from spikedoor.snn.networks import SmallConv
from spikedoor.study.experiment import Experiment
from spikedoor.study.pipe import run
from spikedoor.study.workshop import Workshop

__all__ = ["demo", "experiments"]


def experiments(seed: int = 0) -> dict[str, Experiment]:
    """Return the experiments by their short names; those by LR_C and LR_H share one ANN."""
    ann = Training(epochs=20, batch=64, optimiser=Adam(lr=3e-3))
    rules: dict[str, Rule] = {
        "lr_b": Direct(steps=4, training=Training(epochs=20, batch=64, optimiser=Adam(lr=5e-3))),
        "lr_c": Conversion(steps=32, ann=ann),
        "lr_h": Hybrid(
            steps=4, ann=ann, finetune=Training(epochs=5, batch=64, optimiser=Adam(lr=1e-3))
        ),
    }
    attack = Attack(trigger=Patch(size=2), rate=0.05)
    # The largest of several spikes is no measure of the largest rate, so a network with max pooling
    # converges to another function than its ANN's; what a conversion then loses is the pooling's.
    network = SmallConv(width=32, pool="avg")
    planned = {
        name: Experiment(seed=seed, data=Digits(), attack=attack, network=network, rule=rule)
        for name, rule in rules.items()
    }
    planned["events"] = Experiment(
        seed=seed,
        data=DigitsDvs(),
        attack=Attack(trigger=EventStatic(size=2, rate=40), rate=0.05),
        network=SmallConv(width=16, pool="avg"),
        rule=Direct(
            steps=6,
            encoding=Frames(),
            training=Training(epochs=8, batch=64, optimiser=Adam(lr=5e-3)),
        ),
    )
    return planned


def demo(out: str | Path | None = None, seed: int = 0) -> list[Record]:
    """Poison the embedded digits, and train a victim and its clean twin by each rule.

    Then do so by LR_B with recordings of the digits by a simulated event camera.

    Args:
        out: Folder that gets one new folder for each record: ``lr_b``, ``lr_c``, ``lr_h`` and
            ``events``.
        seed: Of everything random.

    Raises:
        OutputError: If one of these is occupied or cannot be written to.
    """
    planned, workshop = experiments(seed), Workshop()
    if out is not None:
        for name in planned:
            check_free(Path(out) / name)
    records = []
    with bar("demo", total=len(planned)) as advance:
        for name, experiment in planned.items():
            folder = None if out is None else Path(out) / name
            records.append(run(experiment, folder, workshop))
            advance()
    return records
