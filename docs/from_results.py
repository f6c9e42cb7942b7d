"""Tables made from the results in docs/results; `tables.py` puts them into the documents.

A cell of a migration table is clean accuracy / ASR (migration ratio), means over seeds in %; a dash
where the network was at chance in one of the runs or more.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import mean

from spikedoor.metrics.intervals import wilson

MEASURES = ("clean_accuracy", "attack_success", "clean_model")
RESULTS = Path(__file__).parent / "results"
Row = dict[str, str]


def rows(name: str, **wanted: str) -> list[Row]:
    with (RESULTS / f"{name}.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    return [row for row in found if all(row[key] == value for key, value in wanted.items())]


def share(row: Row, name: str, interval: bool = False) -> str:
    if not row[name]:
        return "–"
    limits = ""
    if interval and row[f"{name}.low"]:
        low, high = (f"{100 * float(row[f'{name}.{end}']):.1f}" for end in ("low", "high"))
        limits = f" [{low}, {high}]"
    return f"{100 * float(row[name]):.1f}{limits}"


def table(heads: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    told = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return "\n".join([*told, *(f"| {' | '.join(line)} |" for line in lines)])


def migration(name: str, trigger: str) -> str:
    """Return converter by T for one trigger."""
    found = rows(name, stage="converted")
    chosen = [row for row in found if (row["attack.trigger"] or "patch").startswith(trigger)]
    steps = sorted({int(row["T"]) for row in chosen})
    lines: dict[str, dict[int, str]] = {}
    for row in chosen:
        label = row["rule.converter"]
        if row["part"] == "quantised ANN":
            label += " (QCFS ANN)"
        told = "–"
        if row["status"] == "done":
            asr, ratio = share(row, "attack_success"), share(row, "migration_ratio")
            told = f"{share(row, 'clean_accuracy')} / {asr} ({ratio})"
        elif row["clean_accuracy"]:
            told = f"{share(row, 'clean_accuracy')} / –"
        lines.setdefault(label, {})[int(row["T"])] = told
    cells = ([label, *(by.get(t, "") for t in steps)] for label, by in lines.items())
    return table(["converter", *(f"T = {t}" for t in steps)], cells)


def full(name: str, columns: list[str], **wanted: str) -> str:
    """Return some rows with intervals."""
    measures = ["clean_accuracy", "attack_success", "clean_model", "migration_ratio"]
    found = [row for row in rows(name, **wanted) if row["clean_accuracy"]]
    measures = [m for m in measures if any(row.get(m) for row in found)]
    lines = (
        [*(row[c] or "–" for c in columns), *(share(row, m, interval=True) for m in measures)]
        for row in found
    )
    return table([*columns, *(m.replace("_", " ") for m in measures)], lines)


def events() -> str:
    """Return the rules on N-MNIST: trigger, rate and form by clean accuracy and success."""
    lines: dict[tuple[str, ...], list[str]] = {}
    for row in rows("nmnist"):
        rule = row["part"].partition(",")[0]
        shown = {"True": "the sum", "False": "frames"}.get(row["rule.encoding.constant"], "")
        form = ", ".join(filter(None, (row["rule.converter"], shown)))
        if row["stage"] == "ann":  # that of LR_H and of all forms of LR_C is the same
            rule, form = "LR_C, LR_H", ""
        key = (row["stage"], rule, form, row["attack.trigger"], row["attack.rate"])
        if row["clean_accuracy"]:
            lines.setdefault(key, [share(row, m, interval=True) for m in MEASURES])
    heads = ["stage", "rule", "form", "trigger", "rate", *(m.replace("_", " ") for m in MEASURES)]
    return table(heads, ([*key, *told] for key, told in sorted(lines.items())))


def timing(name: str) -> str:
    """Return when the trigger comes, by read-out and number of poisoned recordings."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    places: dict[str, None] = {}
    for row in rows(name):
        if row["clean_accuracy"]:
            last = "last membrane" in row["part"]
            readout = row.get("rule.readout") or ("last-membrane" if last else "mean-current")
            place = when(row["attack.trigger"])
            places[place] = None
            told = f"{share(row, 'attack_success')} ({share(row, 'clean_model')})"
            lines.setdefault((row["part"], readout), {})[place] = told
    return table(
        ["poisoned", "read-out", *places],
        ([*key, *(by.get(place, "") for place in places)] for key, by in lines.items()),
    )


def when(trigger: str) -> str:
    """Return in words when a trigger of the timing studies comes."""
    told = {"start=0.0": "start", "start=0.46875": "middle", "start=0.34375": "middle"}
    place = next((word for text, word in told.items() if text in trigger), "end")
    if trigger.startswith("event-deletion"):
        return f"deletion, {'3x3' if 'size=0.1' in trigger else '10x10'}"
    span = re.findall(r"(?:start|end)=([0-9.]+)", trigger)
    frames = round(16 * (float(span[1]) - float(span[0])))
    return f"{frames} of 16, {place}"


OF_MODELS = ("neural-cleanse", "neuron-audit", "rate-statistics", "tmpbd")
RULES = {
    **{name: name for name in ("LR_B", "LR_C", "LR_H")},
    "LR_C, ANN repaired": "LR_C by its ANN",
    "": "ANN",
}


def detectors(study: str) -> str:
    """Return what detectors find in a study, in short."""
    return across(_looked(study), lambda row: f"{share(row, 'auroc')} ({share(row, 'found_at_5')})")


def detectors_in_full(study: str) -> str:
    """Return what detectors find, with intervals."""
    names = ("auroc", "found_at_5", "found", "false_alarms", "twin_false_alarms")
    # What is said of a model is true or not: of three, an interval means nothing.
    return _in_full(_looked(study), names, lambda row: row["defence.method"] not in OF_MODELS)


def at_own_threshold(study: str, beside: str = "false_alarms") -> str:
    """Return what detectors find at their own thresholds, in short: found / false alarms."""
    return across(_looked(study), lambda row: f"{share(row, 'found')} / {share(row, beside)}")


def eliminators(study: str) -> str:
    """Return what eliminators leave, in short: clean accuracy / ASR."""
    last = {"direct": "direct", "conversion": "converted", "hybrid": "finetuned"}
    before = {
        attack(row): _left(row)
        for row in rows(study)
        if row["stage"] == last[row["rule"]] and row["clean_accuracy"]
    }
    return across(_repaired(study), _left, before)


def eliminators_in_full(study: str) -> str:
    """Return what eliminators leave, with intervals."""
    names = ("clean_accuracy", "attack_success", "recovered_accuracy", "clean_model",
             "effectiveness", "operations")  # fmt: skip
    return _in_full(_repaired(study), names, lambda row: True)


def _looked(study: str) -> list[Row]:
    return [row for row in rows(study) if row["false_alarms"] or row["found"]]


def _repaired(study: str) -> list[Row]:
    return [row for row in rows(study, stage="repaired") if row["clean_accuracy"]]


def _left(row: Row) -> str:
    return f"{share(row, 'clean_accuracy')} / {share(row, 'attack_success')}"


def _in_full(found: list[Row], names: tuple[str, ...], interval: Callable[[Row], bool]) -> str:
    heads = ["defence", "rule", "trigger", *(name.replace("_", " ") for name in names)]
    ordered = sorted(found, key=lambda row: row["defence.method"])
    return table(
        heads, ([*head(row), *(share(row, n, interval(row)) for n in names)] for row in ordered)
    )


def alarms(study: str, **parts: str) -> str:
    """Return the false alarms on clean victims, with a column for each part of the study."""
    told: dict[str, dict[str, str]] = {}
    for row in sorted(rows(study), key=lambda row: row["defence.method"]):
        method = row["defence.method"].partition("(")[0]
        told.setdefault(method, {})[row["part"]] = share(row, "false_alarms", interval=True)
    lines = ([name, *(found.get(part, "") for part in parts)] for name, found in told.items())
    return table(["defence", *parts.values()], lines)


def attack(row: Row) -> tuple[str, str]:
    return RULES[row["part"]], trigger(row)


def trigger(row: Row) -> str:
    return row["attack.trigger"].partition("(")[0]


def head(row: Row) -> list[str]:
    return [row["defence.method"], *attack(row)]


def across(
    found: list[Row], told: Callable[[Row], str], first: dict[tuple[str, str], str] | None = None
) -> str:
    """Return one line a defence, and one column for each rule and trigger."""
    columns = list(dict.fromkeys(attack(row) for row in found))
    lines: dict[str, dict[tuple[str, str], str]] = {}
    if first is not None:
        lines["none"] = first
    for row in sorted(found, key=lambda row: row["defence.method"]):
        lines.setdefault(row["defence.method"], {})[attack(row)] = told(row)
    heads = ["defence", *(f"{rule}, {trigger}" for rule, trigger in columns)]
    return table(heads, ([name, *(by.get(c, "") for c in columns)] for name, by in lines.items()))


PERCENTILE = "percentile(p=99.0, initial=0.5)"
SQUARE = {"attack.trigger": "event-static(size=3, rate=40)", "attack.rate": "0.1"}
SUM = {"rule.converter": "max(initial=0.5)", "rule.encoding.constant": "True"}
CONVERTED = {"stage": "converted", "attack.trigger": ""}
OVERVIEW: list[tuple[str, str, str, str, dict[str, str]]] = [
    ("MNIST", "2 %", "LR_B", "rates", {"rule.neuron": "lif", "attack.rate": "0.02"}),
    ("CIFAR-10", "5 %", "ANN", "migration", {"stage": "ann", "attack.trigger": ""}),
    ("CIFAR-10", "5 %", "LR_C, MaxNorm", "migration",
     {**CONVERTED, "rule.converter": "max", "T": "64"}),
    ("CIFAR-10", "5 %", "LR_C, 99th percentile", "migration",
     {**CONVERTED, "rule.converter": PERCENTILE, "T": "32"}),
    ("CIFAR-10", "5 %", "LR_H", "hybrids",
     {"stage": "finetuned", "rule.finetune_on": "poisoned"}),
    ("CIFAR-10", "5 %", "LR_H, fine-tuned on clean data", "hybrids",
     {"stage": "finetuned", "rule.finetune_on": "clean"}),
    ("N-MNIST", "10 %", "LR_B", "nmnist", {**SQUARE, "stage": "direct"}),
    ("N-MNIST", "10 %", "LR_C, MaxNorm", "nmnist", {**SQUARE, **SUM, "stage": "converted"}),
    ("N-MNIST", "10 %", "LR_H", "nmnist", {**SQUARE, "stage": "finetuned"}),
]  # fmt: skip
"""Data, poison rate and rule in words; then the results and the row of them that is meant."""


def overview() -> str:
    """Return the rules on three data sets, and the commit that has the results."""
    commits = json.loads((RESULTS / "commits.json").read_text())
    measures = (*MEASURES, "migration_ratio")
    heads = ["data", "poison", "rule", "T", "clean accuracy", "ASR", "clean twin",
             "migration ratio", "commit"]  # fmt: skip
    lines = []
    for data, rate, rule, name, wanted in OVERVIEW:
        row = rows(name, **wanted)[0]
        told = (share(row, measure, interval=True) for measure in measures)
        lines.append([data, rate, rule, row["T"], *told, f"`{commits[name]}`"])
    return table(heads, lines)


def data_audit() -> str:
    """Return what the audit of data names, sums over seeds."""
    together: dict[tuple[str, ...], list[Row]] = {}
    for row in rows("data-audit"):
        key = tuple(row[name] for name in ("data", "trigger", "rate"))
        together.setdefault(key, []).append(row)
    lines = []
    for (data, trigger, rate), found in together.items():
        poisoned, named, hits = (
            sum(int(row[name]) for row in found) for name in ("poisoned", "named", "hits")
        )
        busy = sum(int(row["named"]) > 0 for row in found)
        spent = mean(
            float(row["seconds_victim"]) + float(row["seconds_detectors"]) for row in found
        )
        told = [f"{100 * float(rate):g} %", f"{busy} of {len(found)}", str(poisoned), str(named)]
        shares = [rates_of(hits, poisoned), rates_of(hits, named), f"{spent:.0f}"]
        lines.append([data, trigger, *told, *shares])
    heads = ["data", "trigger", "poison", "runs with names", "poisoned", "named", "recall",
             "precision", "seconds"]  # fmt: skip
    return table(heads, lines)


def rates_of(part: int, whole: int) -> str:
    """Return a share in % with Wilson's interval, a dash of nothing."""
    if not whole:
        return "–"
    low, high = (100 * end for end in wilson(part, whole))
    return f"{100 * part / whole:.1f} [{low:.1f}, {high:.1f}]"


def teco() -> str:
    """Return what TeCo finds on CIFAR-10."""
    names = ("clean_accuracy", "attack_success", "auroc", "found_at_5", "twin_false_alarms")
    heads = ["trigger", *(name.replace("_", " ") for name in names)]
    lines = ([trigger(row), *(share(row, n, True) for n in names)] for row in rows("teco"))
    return table(heads, lines)
