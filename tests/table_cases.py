"""Rows as a sweep makes them, for the tests of tables."""

MEASURES = ("clean_accuracy", "attack_success", "migration_ratio")


def row(seed, clean=None, attack=None, ratio=None, *, status="done", reason=None, **names):
    """Return a row of 1000 samples, each rate with limits 0.01 to both sides."""
    plain = {"part": "grid", "attack.rate": 0.05, "seed": seed, "stage": "ann", "T": 8}
    plain |= {name.replace("__", "."): value for name, value in names.items()}
    for name, value in zip(MEASURES, (clean, attack, ratio), strict=True):
        known = value is not None
        plain[name] = value
        plain[f"{name}.low"] = value - 0.01 if known else None
        plain[f"{name}.high"] = value + 0.01 if known else None
        plain[f"{name}.count"] = 1000 if known else None
    seconds = 2.0 if status != "missing" else None
    return {**plain, "seconds": seconds, "status": status, "reason": reason}


def missing(seed, reason="not run yet", **names):
    return row(seed, status="missing", reason=reason, **names)
