"""Tables of the networks that were trained in other libraries."""

from __future__ import annotations

from statistics import mean

from from_results import Row, rates_of, rows, table

NAME, REPAIRS, WRAPPED = "foreign-models", "foreign-repairs", "wrapped-models"
REPAIRED = ("fine_tuning", "fine_pruning")
TARGET = "0"
VERDICTS = ("backdoor", "unclear", "nothing found")
METHODS = ("neural-cleanse", "neuron-audit", "rate-statistics", "tmpbd")
TRIGGERS = ("patch", "blended")
FOOLED, LOST = 0.1, 0.05  # at most, for a network to count as clean again


def networks() -> str:
    """Return what became of each kind of network by each road."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows(NAME):
        groups.setdefault((row["library"], row["attack"], row["road"]), []).append(row)
    lines = []
    for (library, attack, road), found in groups.items():
        asr = "–" if attack == "clean" else percent(found, f"{attack}_success")
        told = [str(sum(row["verdict"] == verdict for row in found)) for verdict in VERDICTS]
        lines.append(
            [library, attack, road, str(len(found)), percent(found, "clean_accuracy"), asr,
             percent(found, "same_answers"), *told, spent(found)]
        )  # fmt: skip
    heads = ["library", "training set", "road", "networks", "clean accuracy", "ASR",
             "same answers", *VERDICTS, "CPU s"]  # fmt: skip
    return table(heads, lines)


def wrapped() -> str:
    """Return what audit and repair make of residual networks that are wrapped."""
    lines = []
    for attack in ("clean", "patch"):
        found = rows(WRAPPED, attack=attack)
        told = [str(sum(row["verdict"] == verdict for row in found)) for verdict in VERDICTS]
        repaired = [
            f"{percent(found, f'{name}_accuracy')} / {percent(found, f'{name}_success')}"
            for name in REPAIRED
        ]
        lines.append(
            [attack, str(len(found)), percent(found, "same_answers"),
             percent(found, "clean_accuracy"), percent(found, "attack_success"), *told,
             spent(found), *repaired]
        )  # fmt: skip
    after = (f"after {name.replace('_', '-')}: accuracy / ASR" for name in REPAIRED)
    heads = ["training set", "networks", "same answers", "clean accuracy", "ASR", *VERDICTS,
             "CPU s", *after]  # fmt: skip
    return table(heads, lines)


def detectors() -> str:
    """Return how often each detector accuses, by the adapter: false alarms, and the target."""
    found = rows(NAME, road="adapter")
    clean = [row for row in found if row["attack"] == "clean"]
    lines = []
    for method in (*METHODS, "verdict"):
        cells = [rates_of(sum(accuses(row, method) for row in clean), len(clean))]
        for trigger in TRIGGERS:
            hit = [row for row in found if row["attack"] == trigger]
            cells.append(rates_of(sum(accuses(row, method, TARGET) for row in hit), len(hit)))
        lines.append([method, *cells])
    return table(["", "clean networks accused", *(f"target found, {t}" for t in TRIGGERS)], lines)


def repairs() -> str:
    """Return what each eliminator leaves: clean accuracy / ASR, and the range of the latter."""
    found = backdoored()
    kinds = list(dict.fromkeys((row["library"], row["attack"]) for row in found))
    lines: dict[str, list[str]] = {}
    for kind in kinds:
        of = [row for row in found if (row["library"], row["attack"]) == kind]
        clean = average([row for row in of if row["method"] == "none"], "clean_model")
        lines.setdefault("clean networks", []).append(f"– / {clean}")
        for method in methods(of):
            left = [row for row in of if row["method"] == method]
            told = f"{average(left, 'clean_accuracy')} / {percent(left, 'attack_success')}"
            lines.setdefault(method, []).append(told)
    heads = ["", *(f"{library}, {attack}" for library, attack in kinds)]
    return table(heads, ([name, *cells] for name, cells in lines.items()))


def cleaned() -> str:
    """Return in how many networks each eliminator leaves no backdoor, and what it costs."""
    found = rows(REPAIRS)
    before = {key(row): float(row["clean_accuracy"]) for row in found if row["method"] == "none"}
    lines = []
    for method in methods(found)[1:]:
        of = [row for row in found if row["method"] == method and row["clean_accuracy"]]
        lost = {key(row): before[key(row)] - float(row["clean_accuracy"]) for row in of}
        cells = []
        for trigger in TRIGGERS:
            hit = [row for row in of if row["attack"] == trigger]
            gone = [row for row in hit if lost[key(row)] <= LOST and fooled(row) <= FOOLED]
            cells.append(rates_of(len(gone), len(hit)))
        for clean in (False, True):
            points = [100 * lost[k] for k in lost if (k[1] == "clean") == clean]
            cells.append(f"{mean(points):.1f} ({min(points):.1f} to {max(points):.1f})")
        lines.append([method, *cells, spent(of)])
    heads = ["", *(f"clean again, {trigger}" for trigger in TRIGGERS), "accuracy lost",
             "of clean networks", "CPU s"]  # fmt: skip
    return table(heads, lines)


def backdoored() -> list[Row]:
    """Return the rows of repairs of backdoored networks."""
    return [row for row in rows(REPAIRS) if row["attack"] != "clean"]


def methods(found: list[Row]) -> list[str]:
    """Return the names of methods, "none" first."""
    return list(dict.fromkeys(row["method"] for row in found))


def key(row: Row) -> tuple[str, str, str]:
    """Return which network a row is about."""
    return row["library"], row["attack"], row["seed"]


def fooled(row: Row) -> float:
    """Return the ASR; 1 where it means nothing, as the network is at chance."""
    return float(row["attack_success"] or 1)


def average(found: list[Row], name: str) -> str:
    """Return the mean of shares in %."""
    return f"{100 * mean(float(row[name]) for row in found):.1f}"


def accuses(row: Row, method: str, target: str | None = None) -> bool:
    """Whether a method accuses any class, or a certain one; the verdict, if it is backdoor."""
    if method == "verdict":
        told = row["accused"].partition("+")[0] if row["verdict"] == "backdoor" else ""
        return told == target if target else bool(told)
    classes = row[method].split("+")
    return target in classes if target else classes != ["none"]


def percent(found: list[Row], name: str) -> str:
    """Return the mean of shares in %, and their range."""
    values = [100 * float(row[name]) for row in found if row[name]]
    if not values:
        return "–"
    return f"{mean(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def spent(found: list[Row]) -> str:
    """Return the mean CPU time of an audit."""
    values = [float(row["cpu_seconds"]) for row in found if row["cpu_seconds"]]
    return f"{mean(values):.0f}" if values else "–"
