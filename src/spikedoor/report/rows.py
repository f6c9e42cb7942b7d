"""Records as rows: one for each stage, for tables, pages and programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from spikedoor.metrics import Scores
from spikedoor.records import Record

__all__ = ["Row", "label", "notes", "rows", "staged", "to_json"]

_SHORT = {"direct": "LR_B", "conversion": "LR_C", "hybrid": "LR_H"}


@dataclass(frozen=True)
class Row:
    """One stage of one record, after one of its steps.

    Args:
        rule: Name of the learning rule.
        data: Name of the data set.
        stage: Name of the stage.
        scores: The victim's scores.
        twin: The clean twin's; None without a twin.
        seconds: Time it took to make the stage, where the record tells it.
        twin_seconds: The same of the twin's.
        to_best: Time until the kept epoch was done, where the stage was trained.
        twin_to_best: The same of the twin's.
        firing: Firing rates of the neurons on clean and on triggered samples, in spikes a neuron
            and step; None where there are none.
    """

    rule: str
    data: str
    stage: str
    scores: Scores
    twin: Scores | None
    seconds: float | None
    twin_seconds: float | None
    to_best: float | None = None
    twin_to_best: float | None = None
    firing: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "rule": self.rule,
            "dataset": self.data,
            "stage": self.stage,
            **self.scores.to_dict(),
            "twin": self.twin.to_dict() if self.twin else None,
            "seconds": self.seconds,
            "twin_seconds": self.twin_seconds,
            "seconds_to_best": self.to_best,
            "twin_seconds_to_best": self.twin_to_best,
            "firing_rate": self.firing[0] if self.firing else None,
            "firing_rate_triggered": self.firing[1] if self.firing else None,
        }


def label(rule: str) -> str:
    """Return a rule's name after the short form of its family, such as ``LR_B direct``."""
    return f"{_SHORT[rule]} {rule}" if rule in _SHORT else rule


def staged(rule: str, stage: str) -> str:
    """Return the name of a rule and of its stage, once where they are called alike."""
    return label(rule) if stage == rule else f"{label(rule)}, {stage}"


_DETECTION = {
    "auroc": "AUROC",
    "found_at_1": "found where 1 % of the clean are flagged",
    "found_at_5": "where 5 % are",
    "found": "at its own threshold found",
    "false_alarms": "false alarms",
    "twin_false_alarms": "false alarms on the clean twin",
}


def rows(records: Iterable[Record], every_step: bool = False) -> list[Row]:
    """Return one row for each stage of each record, in order.

    Args:
        records: What to show.
        every_step: Return a row for each time step of a stage, not for the last alone.
    """
    return [
        _row(record, stage, step)
        for record in records
        for stage in record.evaluation.stages
        for step in _steps(record.evaluation.answers[stage].steps, every_step)
    ]


def _steps(last: int, every_step: bool) -> range:
    return range(1, last + 1) if every_step else range(last, last + 1)


def _row(record: Record, stage: str, step: int) -> Row:
    about, twin = record.stages[stage], record.twin_stages.get(stage, {})
    firing = record.activity.get(stage)
    return Row(
        record.rule,
        record.data["name"],
        stage,
        record.evaluation.scores(stage, step),
        record.evaluation.twin_scores(stage, step),
        about.get("seconds"),
        twin.get("seconds"),
        about.get("training", {}).get("seconds_to_best"),
        twin.get("training", {}).get("seconds_to_best"),
        (firing["clean"]["rate"][step - 1], firing["triggered"]["rate"][step - 1])
        if firing
        else None,
    )


def to_json(records: Iterable[Record], every_step: bool = False) -> list[dict[str, Any]]:
    """Return what `text` shows as plain values."""
    return [
        {
            "rule": record.rule,
            "seed": record.experiment["seed"],
            "data": record.data,
            "poison": record.poison,
            "rows": [row.to_dict() for row in rows([record], every_step)],
        }
        for record in records
    ]


def notes(records: Sequence[Record]) -> list[str]:
    """Return what a reader of the table must know: the poison, and what the columns mean."""
    found = list(dict.fromkeys(_poison(record) for record in records))
    return [
        *found,
        *(_detection(record) for record in records if record.defence),
        "Rates with 95 % intervals. ASR: triggered samples of other classes that are taken for the "
        "target; clean model: the same of the twin trained without poison; migration: ASR of the "
        "SNN over ASR of its ANN (ratio), and samples fooling the ANN that still fool the SNN "
        "(retained); firing: spikes a neuron and step, on clean and on triggered samples; seconds: "
        "to make the stage, until the kept epoch was done, and both of the twin.",
    ]


def _poison(record: Record) -> str:
    data, poison = record.data, record.poison
    classes = ", ".join(
        f"{100 * rate:.1f} % of those labelled '{name}'"
        for name, rate in poison["class_rate"].items()
    )
    share = f"{100 * poison['set_rate']:.2f} % of the set" + (f", {classes}" if classes else "")
    cover = ""
    if poison.get("cover_count"):
        cover = f"; cover: {poison['cover_count']:,} ({100 * poison['cover_set_rate']:.2f} %)"
    return (
        f"{data['name']}, {data['train']:,} training and {data['test']:,} test samples; "
        f"poisoned: {poison['count']:,} ({share}){cover}; seed {record.experiment['seed']}."
    )


def _detection(record: Record) -> str:
    """Return in a sentence what a detector found."""
    told = record.defence
    shares = []
    for name, measure in told["measures"].items():
        if measure["value"] is not None:
            scale, unit = (1, "") if name == "auroc" else (100, " %")
            value, low, high = (scale * measure[key] for key in ("value", "low", "high"))
            digits = 3 if name == "auroc" else 1
            shares.append(
                f"{_DETECTION[name]} {value:.{digits}f}{unit} [{low:.{digits}f}, {high:.{digits}f}]"
                f" n={measure['count']}"
            )
    return f"{told['plan']['method']['name']} on stage {told['stage']}: {'; '.join(shares)}."
