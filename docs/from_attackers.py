"""Tables of what an attacker reaches who trains the victim against a detector."""

from __future__ import annotations

from from_results import MEASURES, OF_MODELS, Row, rows, share, table, trigger

TRAINED = "adaptive-training"


def weights() -> str:
    """Return what the weights that were tried leave of the detector, and of the attack."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows("adaptive-weights"):
        weight = row["rule.features"] or row["rule.blends"]
        told = f"{share(row, 'auroc')} ({share(row, 'attack_success')})"
        lines.setdefault((row["part"], trigger(row)), {})[weight] = told
    tried = sorted({weight for by in lines.values() for weight in by}, key=float)
    cells = ([*key, *(by.get(weight, "") for weight in tried)] for key, by in lines.items())
    return table(["trained", "trigger", *tried], cells)


def victims() -> str:
    """Return how well the victims work, and the attack."""
    attacks = {(row["part"], trigger(row)): row for row in rows(TRAINED)}
    heads = ["trained", "trigger", *(measure.replace("_", " ") for measure in MEASURES)]
    lines = ([*key, *(share(row, m, True) for m in MEASURES)] for key, row in attacks.items())
    return table(heads, lines)


def found(of: str) -> str:
    """Return what every detector finds of the victims with one trigger."""
    chosen = [row for row in rows(TRAINED) if trigger(row) == of]
    parts = list(dict.fromkeys(row["part"] for row in chosen))
    by = {(row["defence.method"], row["part"]): row for row in chosen}
    lines = []
    for name in sorted({method for method, _ in by}):
        alarms = share(by[name, parts[0]], "twin_false_alarms")
        lines.append([name, *(_area(by[name, part]) for part in parts), alarms])
    return table(["defence", *parts, "false alarms of the twin"], lines)


def _area(row: Row) -> str:
    interval = row["defence.method"] not in OF_MODELS
    return f"{share(row, 'auroc', interval)} ({share(row, 'found_at_5')})"
