"""Put defences to a victim that a run has left in a folder; nothing of it is trained again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikedoor.attack.triggers.learned import WEIGHTS_FILE, read_weights
from spikedoor.defences.plan import DefencePlan
from spikedoor.errors import DataError
from spikedoor.progress import bar
from spikedoor.records import Record, Store
from spikedoor.study.cell import Cell, cell
from spikedoor.study.experiment import Experiment
from spikedoor.study.index import Index
from spikedoor.study.nodes import Node
from spikedoor.study.results import rows
from spikedoor.study.sweep import Planned
from spikedoor.study.work import packed
from spikedoor.study.workshop import Workshop
from spikedoor.victim import Victim

__all__ = ["Defended", "defend"]


@dataclass(frozen=True, eq=False)
class Defended:
    """What came of one defence.

    Args:
        plan: The defence.
        rows: As `results.rows` has them: of the stage looked at, or of the stage before a repair
            and the repaired one.
        repaired: The victim with the repaired stage at its end; None of a detector.
    """

    plan: DefencePlan
    rows: list[dict[str, Any]]
    repaired: Victim | None


def defend(folder: str | Path, plans: Sequence[DefencePlan]) -> list[Defended]:
    """Carry out defences of a recorded victim and its clean twin.

    Args:
        folder: What `run` has written: a record with the networks beside it.
        plans: The defences.

    Raises:
        DataError: If record, networks or data are missing or damaged.
        ConfigError: If a defence cannot work on the stage.
    """
    folder = Path(folder)
    experiment = Experiment.from_dict(Record.read(folder).experiment)
    owners = [name for name in ("victim", "twin") if (folder / name).is_dir()]
    if "victim" not in owners:
        raise DataError(f"{folder}: no victim was saved with this record")
    victims = {owner: Victim.load(folder / owner) for owner in owners}
    experiment = experiment.model_copy(update={"twin": "twin" in owners})
    data = experiment.data.load()
    found = []
    with tempfile.TemporaryDirectory() as store, bar("defend", len(plans)) as advance:
        workshop = Workshop(Store(Path(store) / "store"))
        learned = read_weights(folder / WEIGHTS_FILE)
        for plan in plans:
            # Checked anew, as a copy is not.
            defended = Experiment.from_dict({**experiment.to_dict(), "defence": plan.to_dict()})
            made = cell(defended, data)
            if made.trigger is not None and learned is not None:
                _put(made.trigger, learned, workshop)
            found.append(_carried_out(plan, made, victims, workshop))
            advance()
    return found


def _put(node: Node, result: Any, workshop: Workshop) -> None:
    """Leave in the store what a node would make, so that it is not made."""
    assert workshop.store is not None
    if workshop.store.entry(node.key) is None:
        workshop.store.write(node.key, node.kind, packed(node, result), config={})


def _carried_out(
    plan: DefencePlan, made: Cell, victims: dict[str, Victim], workshop: Workshop
) -> Defended:
    for owner, victim in victims.items():
        for stage in victim.stages:
            node = made.stages[owner].get(stage.name)  # pyright: ignore[reportArgumentType]
            if node is not None and node.kind != "repaired":
                _put(node, stage, workshop)
    for leaf in made.leaves():
        workshop.result(leaf)
    stages = {made.defended, "repaired"}
    if plan.method.task == "eliminate" and plan.stage == "ann":
        stages.add(next(reversed([name for name in made.phases if name != "repaired"])))
    assert workshop.store is not None
    index = Index.of([Planned("", {}, made.experiment)], [made], workshop.dataset)
    found = rows(index, workshop.store)
    repaired = None
    if plan.method.task == "eliminate":
        stage = workshop.result(made.stages["victim"]["repaired"])
        dressed = made.phases["repaired"].dressed(stage)
        before = (stage for stage in victims["victim"].stages if stage.name != "repaired")
        repaired = Victim((*before, dressed))
    return Defended(plan, [row for row in found if row["stage"] in stages], repaired)
