"""Print the tables of docs/findings.md from the results in docs/results.

    spikedoor table studies/NAME.toml --mean --all --format csv --out docs/results/NAME.csv
    python docs/tables.py

A cell of a migration table is clean accuracy / ASR (migration ratio), means over seeds in %; a dash
where the network was at chance in one of the runs or more.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable
from pathlib import Path

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


def table(heads: Iterable[str], lines: Iterable[Iterable[str]]) -> None:
    heads = list(heads)
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for line in lines:
        print(f"| {' | '.join(line)} |")
    print()


def migration(title: str, name: str, trigger: str) -> None:
    """Print converter by T for one trigger, if it was tried."""
    found = rows(name, stage="converted")
    chosen = [row for row in found if (row["attack.trigger"] or "patch").startswith(trigger)]
    if not chosen:
        return
    print(f"{title}\n")
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
    table(["converter", *(f"T = {t}" for t in steps)], cells)


def full(name: str, columns: list[str], **wanted: str) -> None:
    """Print some rows with intervals."""
    measures = ["clean_accuracy", "attack_success", "clean_model", "migration_ratio"]
    found = [row for row in rows(name, **wanted) if row["clean_accuracy"]]
    measures = [m for m in measures if any(row.get(m) for row in found)]
    lines = (
        [*(row[c] or "–" for c in columns), *(share(row, m, interval=True) for m in measures)]
        for row in found
    )
    table([*columns, *(m.replace("_", " ") for m in measures)], lines)


def events() -> None:
    """Print the rules on N-MNIST: trigger, rate and form by clean accuracy and success."""
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
    table(heads, ([*key, *told] for key, told in sorted(lines.items())))


def timing(name: str) -> None:
    """Print when the trigger comes, by read-out and number of poisoned recordings."""
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
    table(
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
RULES = {"LR_B": "LR_B", "LR_C": "LR_C", "LR_H": "LR_H", "LR_C, ANN repaired": "LR_C by its ANN"}


def defences(study: str) -> None:
    """Print what detectors find and what eliminators leave, in short and with intervals."""
    looked = [row for row in rows(study) if row["false_alarms"] or row["found"]]
    repaired = [row for row in rows(study) if row["stage"] == "repaired" and row["clean_accuracy"]]
    last = {"direct": "direct", "conversion": "converted", "hybrid": "finetuned"}
    before = {
        attack(row): row
        for row in rows(study)
        if row["stage"] == last[row["rule"]] and row["clean_accuracy"]
    }
    print("Detectors: AUROC (found at 5 % false positives), in %\n")
    across(looked, lambda row: f"{share(row, 'auroc')} ({share(row, 'found_at_5')})")
    print("Detectors, with intervals\n")
    names = ("auroc", "found_at_5", "found", "false_alarms", "twin_false_alarms")
    heads = ["defence", "rule", "trigger", *(name.replace("_", " ") for name in names)]
    ordered = sorted(looked, key=lambda row: row["defence.method"])
    # What is said of a model is true or not: of three, an interval means nothing.
    table(
        heads,
        (
            [*head(row), *(share(row, n, row["defence.method"] not in OF_MODELS) for n in names)]
            for row in ordered
        ),
    )
    print("Eliminators: clean accuracy / ASR after the repair, in %\n")
    first = {
        key: f"{share(row, 'clean_accuracy')} / {share(row, 'attack_success')}"
        for key, row in before.items()
    }
    across(
        repaired,
        lambda row: f"{share(row, 'clean_accuracy')} / {share(row, 'attack_success')}",
        first,
    )
    print("Eliminators, with intervals\n")
    names = ("clean_accuracy", "attack_success", "recovered_accuracy", "clean_model",
             "effectiveness", "operations")  # fmt: skip
    heads = ["defence", "rule", "trigger", *(name.replace("_", " ") for name in names)]
    ordered = sorted(repaired, key=lambda row: row["defence.method"])
    table(heads, ([*head(row), *(share(row, n, True) for n in names)] for row in ordered))


def alarms() -> None:
    """Print the false alarms on clean victims."""
    lines = (
        [row["defence.method"], share(row, "false_alarms", interval=True)]
        for row in sorted(rows("clean-victims"), key=lambda row: row["defence.method"])
    )
    table(["defence", "false alarms, in %"], lines)


def weights(name: str) -> None:
    """Print what the weights that an attacker tried leave of the detector, and of the attack."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows(name):
        weight = row["rule.features"] or row["rule.blends"]
        told = f"{share(row, 'auroc')} ({share(row, 'attack_success')})"
        lines.setdefault((row["part"], trigger(row)), {})[weight] = told
    tried = sorted({weight for by in lines.values() for weight in by}, key=float)
    heads = ["trained", "trigger", *tried]
    table(heads, ([*key, *(by.get(w, "") for w in tried)] for key, by in lines.items()))


def trained(name: str) -> None:
    """Print what detectors find of victims whose attacker trained them against some of these."""
    found = rows(name)
    parts = list(dict.fromkeys(row["part"] for row in found))
    attacks = {(row["part"], trigger(row)): row for row in found}
    heads = ["trained", "trigger", *(measure.replace("_", " ") for measure in MEASURES)]
    lines = ([*key, *(share(row, m, True) for m in MEASURES)] for key, row in attacks.items())
    table(heads, lines)
    for shown in dict.fromkeys(map(trigger, found)):
        print(f"{shown.capitalize()}: AUROC (found at 5 % false positives), in %\n")
        by = {(row["defence.method"], row["part"]): row for row in found if trigger(row) == shown}
        names = sorted({method for method, _ in by})
        heads = ["defence", *parts, "false alarms of the twin"]
        table(heads, ([n, *(area(by[n, p]) for p in parts), alarm(by[n, parts[0]])] for n in names))


def area(row: Row) -> str:
    interval = row["defence.method"] not in OF_MODELS
    return f"{share(row, 'auroc', interval)} ({share(row, 'found_at_5')})"


def alarm(row: Row) -> str:
    return share(row, "twin_false_alarms")


def trigger(row: Row) -> str:
    return row["attack.trigger"].partition("(")[0]


def attack(row: Row) -> tuple[str, str]:
    return RULES[row["part"]], trigger(row)


def head(row: Row) -> list[str]:
    return [row["defence.method"], *attack(row)]


def across(
    found: list[Row], told: Callable[[Row], str], first: dict[tuple[str, str], str] | None = None
) -> None:
    """Print one line a defence, and one column for each rule and trigger."""
    columns = list(dict.fromkeys(attack(row) for row in found))
    lines: dict[str, dict[tuple[str, str], str]] = {}
    if first is not None:
        lines["none"] = first
    for row in sorted(found, key=lambda row: row["defence.method"]):
        lines.setdefault(row["defence.method"], {})[attack(row)] = told(row)
    heads = ["defence", *(f"{rule}, {trigger}" for rule, trigger in columns)]
    table(heads, ([name, *(by.get(c, "") for c in columns)] for name, by in lines.items()))


def main() -> None:
    """Print what there are results of."""
    for data, name in (("CIFAR-10", "migration"), ("MNIST", "migration-mnist")):
        for trigger in ("patch", "blended", "sig"):
            if known(name):
                migration(f"{data}, {trigger}", name, trigger)
    columns = ["part", "rule.surrogate", "rule.finetune_on"]
    for title, name, shown, wanted in (
        ("Hybrids on MNIST, T = 4", "hybrids-mnist", columns, {"stage": "finetuned"}),
        ("Hybrids on CIFAR-10, T = 4", "hybrids", ["rule.finetune_on"], {"stage": "finetuned"}),
        ("Poison rates on MNIST", "rates", ["part", "rule.neuron", "attack.rate"], {}),
    ):
        if known(name):
            print(f"{title}\n")
            full(name, shown, **wanted)
    if known("nmnist"):
        print("Events on N-MNIST\n")
        events()
    for title, name in (
        ("When the trigger comes, N-MNIST", "timing"),
        ("When the trigger comes, simulated", "timing-simulated"),
    ):
        if known(name):
            print(f"{title}\n")
            timing(name)
    if known("defences"):
        defences("defences")
    if known("clean-victims"):
        print("False alarms on twenty clean victims\n")
        alarms()
    if known("adaptive-weights"):
        print("Weights that an attacker who trains tried: AUROC (ASR), in %\n")
        weights("adaptive-weights")
    if known("adaptive-training"):
        print("Victims of an attacker who trains\n")
        trained("adaptive-training")
    for data, name in (("MNIST", "defences-mnist"), ("N-MNIST", "defences-nmnist")):
        if known(name):
            print(f"On {data}\n")
            defences(name)


def known(name: str) -> bool:
    return (RESULTS / f"{name}.csv").is_file()


if __name__ == "__main__":
    main()
