"""What a page says of single runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from spikedoor.metrics import Rate, Ratio, Scores
from spikedoor.records import Record
from spikedoor.records.samples import Samples
from spikedoor.report.page.content import Content, cell, filled, point
from spikedoor.report.page.samples import command, galleries, lacking, players, traces
from spikedoor.report.rows import label, notes, rows, staged

__all__ = ["of_records"]

_COLUMNS = (
    "rule", "data", "trigger", "seed", "stage", "T", "clean accuracy", "ASR", "clean model",
    "migration ratio", "migration retained", "firing, clean", "firing, triggered", "seconds",
    "seconds, twin",
)  # fmt: skip
_NEURONS = (
    "A sample without the trigger and with it: the membrane of each class's output neuron before "
    "the reset, and its spikes; a cross is a spike taken back."
)


def of_records(
    records: Mapping[str, Record], samples: Mapping[str, Samples | None] | None = None
) -> Content:
    """Return what a page says of some runs.

    Args:
        records: One or more, by the folder of each.
        samples: What was kept beside them, by the same names.
    """
    samples = samples or {}
    shown = {place: found for place, found in samples.items() if found is not None}
    found = list(records.values())
    data = " and ".join(dict.fromkeys(record.data["name"] for record in found))
    sections = [
        {"title": "Rules and stages", "note": " ".join(notes(found)), "table": _table(found)},
        {
            "title": "Step by step",
            "note": "One simulation gives the answer after every step; bands and bars are 95 % "
            "intervals of the test samples. A name in a legend hides its line.",
            "charts": [chart for record in found for chart in _courses(record)],
        },
        {
            "title": "The triggers",
            "galleries": galleries(records),
            "players": players(records, shown),
        },
        {
            "title": "Output neurons",
            "note": _NEURONS,
            "traces": traces(shown),
            "texts": lacking(records, shown),
        },
        {
            "title": "Time",
            "note": "Seconds to make each stage, of the victim and of its clean twin.",
            "charts": _overhead(found),
        },
        {
            "title": "To do it again",
            "note": "The record itself is what a run is repeated from; what a page shows under it "
            "may be saved as a .json in its place.",
            "texts": [
                {"title": "Commands", "text": _commands(records), "open": True},
                *_plugins(found),
                *({"title": place, "text": _repeated(r)} for place, r in records.items()),
            ],
        },
    ]
    return Content(
        f"Backdoors in {data}",
        f"How easily does a poisoned training set of {data} put a backdoor into a spiking network?",
        _verdict(found),
        filled(sections),
    )


def _verdict(records: Sequence[Record]) -> str:
    """Return the strongest and the weakest attack in a sentence each."""
    told = []
    for record in records:
        stage = record.evaluation.stages[-1]
        scores, twin = record.evaluation.scores(stage), record.evaluation.twin_scores(stage)
        if scores.attack_success is not None:
            told.append((scores.attack_success.value, _sentence(record, scores, twin)))
    if not told:
        return "No victim is better than chance on clean samples, so no attack can be judged."
    told.sort(key=lambda one: -one[0])
    if len(told) == 1:
        alone = told[0][1]
        return f"{alone[0].upper()}{alone[1:]}."
    return f"The strongest: {told[0][1]}. The weakest: {told[-1][1]}."


def _sentence(record: Record, scores: Scores, twin: Scores | None) -> str:
    success, poison = scores.attack_success, record.poison
    assert success is not None
    low, high = success.interval
    text = (
        f"under {label(record.rule)} on {record.data['name']}, {poison['count']:,} poisoned "
        f"samples ({100 * poison['set_rate']:.2f} %) turn {100 * success.value:.1f} % "
        f"[{100 * low:.1f}, {100 * high:.1f}] of {success.count:,} triggered samples to the target "
        f"at a clean accuracy of {100 * scores.clean_accuracy.value:.1f} %"
    )
    if twin is None or twin.attack_success is None:
        return text
    return f"{text}, where a clean twin is turned by {100 * twin.attack_success.value:.1f} %"


def _defined(rate: Rate | Ratio | None) -> Rate | Ratio | None:
    """Return a rate of no sample, or a ratio to nothing, as None."""
    if rate is None or not (rate.second if isinstance(rate, Ratio) else rate.count):
        return None
    return rate


def _rate(rate: Rate | Ratio | None) -> dict[str, Any] | None:
    rate = _defined(rate)
    if rate is None:
        return None
    low, high = rate.interval
    return cell(rate.value, low, high, rate.count)


def _table(records: Sequence[Record]) -> dict[str, Any]:
    lines = []
    for record in records:
        for row in rows([record]):
            scores, firing = row.scores, row.firing or (None, None)
            lines.append(
                [
                    label(row.rule),
                    row.data,
                    record.experiment["attack"]["trigger"]["name"],
                    record.experiment["seed"],
                    row.stage,
                    scores.step,
                    _rate(scores.clean_accuracy),
                    _rate(scores.attack_success),
                    _rate(row.twin.attack_success) if row.twin else None,
                    _rate(scores.migration_ratio),
                    _rate(scores.migration_retained),
                    *(cell(rate) for rate in firing),
                    _seconds(row.seconds),
                    _seconds(row.twin_seconds),
                ]
            )
    return {"columns": list(_COLUMNS), "rows": lines}


def _seconds(value: float | None) -> dict[str, Any] | None:
    return None if value is None else {"value": value, "text": f"{value:.1f}"}


def _courses(record: Record) -> list[dict[str, Any]]:
    """Return a chart for each spiking stage: its rates after each step."""
    found, charts = record.evaluation, []
    for stage in found.stages:
        if stage == "ann":
            continue
        steps = found.by_step(stage)
        twins = [found.twin_scores(stage, s.step) for s in steps]
        lines = {
            "clean accuracy": [s.clean_accuracy for s in steps],
            "ASR": [s.attack_success for s in steps],
            "ASR, clean twin": [t.attack_success if t else None for t in twins],
            "migration ratio": [_defined(s.migration_ratio) for s in steps],
        }
        series = [
            {
                "name": name,
                "ink": ink,
                "dashed": dashed,
                "points": [
                    point(s.step, r.value, r.interval[0], r.interval[1], f"after step {s.step}")
                    for s, r in zip(steps, rates, strict=True)
                    if r is not None
                ],
            }
            for (name, rates), ink, dashed in zip(
                lines.items(), "abbc", (False, False, True, False), strict=True
            )
        ]
        title = f"{staged(record.rule, stage)}, {record.data['name']}"
        series = [one for one in series if one["points"]]
        charts.append({"title": title, "x": "time step", "y": "%", "series": series})
    return charts


def _overhead(records: Sequence[Record]) -> list[dict[str, Any]]:
    told: dict[str, list[tuple[str, float]]] = {"victim": [], "clean twin": []}
    for record in records:
        for row in rows([record]):
            name = staged(row.rule, row.stage)
            for owner, spent in (("victim", row.seconds), ("clean twin", row.twin_seconds)):
                if spent is not None:
                    told[owner].append((name, spent))
    names = list(dict.fromkeys(name for line in told.values() for name, _ in line))
    if not names:
        return []
    series = [
        {
            "name": owner,
            "points": [
                {"x": names.index(name), "y": s, "low": 0, "high": s, "told": f"{name}: {s:.1f} s"}
                for name, s in line
            ],
        }
        for owner, line in told.items()
        if line
    ]
    most = max(s for line in told.values() for _, s in line)
    chart = {"title": "Training and conversion", "y": "s", "names": names, "raw": True}
    return [{**chart, "limits": [0, most], "series": series}]


def _repeated(record: Record) -> str:
    about = {
        "created": record.created,
        "experiment": record.experiment,
        "environment": record.environment,
        "data": record.data,
        "poison": record.poison,
    }
    return json.dumps(about, indent=1)


def _commands(records: Mapping[str, Record]) -> str:
    return "\n".join(command(r, "run", f"{place}/record.json") for place, r in records.items())


def _plugins(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return, as a text, the files of others' code that runs need, which a page does not hold."""
    needed = {file: code for record in records for file, code in record.plugins.items()}
    made = "\n".join(f"{file}  SHA-256 {code}" for file, code in needed.items())
    title = "Plug-ins that must be there, code that runs with your rights"
    return [{"title": title, "text": made, "open": True}] if needed else []
