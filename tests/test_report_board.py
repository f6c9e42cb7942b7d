"""Boards: each planned cell, ranked, with the reason where it is missing."""

import pytest
from page_cases import section
from table_cases import missing, row

from spikedoor.records.query import Table
from spikedoor.report.page import of_leaderboard, of_study


def test_what_no_part_plans_is_not_missing():
    def about(rule, trigger, rate, method=None):
        auroc = dict.fromkeys(("auroc", "auroc.low", "auroc.high", "auroc.count"), 0.7)
        attack = {"attack.trigger": trigger, "attack.rate": rate}
        names = {"part": "defended" if method else "attacked", "rule": rule, "stage": rule}
        return names | attack | {"defence.method": method} | (auroc if method else {})

    crossed = [("patch", 0.01), ("patch", 0.1), ("blended", 0.01)]
    done = [*(("direct", *one) for one in crossed), ("ann", "patch", 0.1)]
    done.append(("direct", "patch", 0.1, "strip"))
    rows = [row(0, 0.9, 0.8, **about(*one)) for one in done]
    rows.insert(3, missing(0, "out of memory", **about("direct", "blended", 0.1)))
    table = Table.of(rows).mean()
    study, leaders = of_study("two", table, ""), of_leaderboard({"two": table}, "")
    for content, name, ahead in ((study, "The board", 1), (leaders, "two", 3)):
        attacks = section(content, f"{name}: attacks")["table"]
        assert attacks["columns"][ahead:] == [
            f"rate {rate}, {trigger}" for trigger, rate in [*crossed, ("blended", 0.1)]
        ]
        cells = {line[0]: line[ahead:] for line in attacks["rows"]}
        planned = {method: [c is not None for c in line] for method, line in cells.items()}
        assert planned == {"LR_B direct": [True] * 4, "ann": [False, True, False, False]}
        gaps = [c["small"] for c in cells["LR_B direct"] if c["text"] == "missing"]
        assert gaps == ["out of memory"]
        detectors = section(content, f"{name}: detectors")["table"]
        assert detectors["columns"][ahead:] == ["LR_B direct, rate 0.1, patch"]
        assert [line[0] for line in detectors["rows"]] == ["strip"]
    assert "1 of 6 cells" in leaders.verdict


@pytest.fixture
def ranking():
    def defended(method, trigger, stage, clean=None, attack=None, reason=None, **measured):
        about = {"rule": "direct", "defence.method": method, "attack.trigger": trigger}
        status = "missing" if reason else "done"
        made = row(0, clean, attack, stage=stage, status=status, reason=reason, **about)
        for name in ("auroc", "effectiveness"):
            value = measured.get(name)
            limits = dict.fromkeys((f"{name}.low", f"{name}.high", f"{name}.count"), value)
            made |= {name: value, **limits}
        return made

    rows = [
        defended("fair", "patch", "direct", 0.9, 0.9, auroc=0.6),
        defended("fair", "blended", "direct", 0.9, 0.9, auroc=0.8),
        defended("once", "patch", "direct", 0.9, 0.9, auroc=0.8),
        defended("good", "patch", "direct", 0.9, 0.9, auroc=0.7),
        defended("good", "blended", "direct", 0.9, 0.9, auroc=0.8),
        defended("late", "patch", "direct", 0.9, 0.9, auroc=0.9),
        defended("late", "blended", "direct", reason="detection failed: too few samples"),
        *(defended("prune", t, "direct", 0.9, 0.9) for t in ("patch", "blended")),
        defended("prune", "patch", "repaired", 0.8, 0.1, effectiveness=0.85),
        defended("prune", "blended", "repaired", reason="not run yet"),
    ]
    return of_leaderboard({"digits": Table.of(rows).mean()}, "spikedoor sweep digits.toml")


def test_a_leaderboard_ranks_like_with_like_and_says_why_a_cell_is_missing(ranking, opened):
    detectors = section(ranking, "digits: detectors")["table"]
    assert detectors["columns"] == ["method", "mean", "cells", "patch", "blended"]
    told = [(line[0], line[1]["value"], line[2]) for line in detectors["rows"]]
    assert told == [
        ("good", pytest.approx(0.75), "2 of 2"),
        ("fair", pytest.approx(0.7), "2 of 2"),
        ("late", 0.9, "1 of 2"),
        ("once", 0.8, "1 of 1"),
    ]
    gap = detectors["rows"][2][4]
    assert (gap["text"], gap["small"]) == ("missing", "detection failed: too few samples")
    (repair,) = section(ranking, "digits: repairs")["table"]["rows"]
    assert (repair[0], repair[1]["value"], repair[3]["value"]) == ("prune", 0.85, 0.85)
    assert repair[4]["small"] == "not run yet"
    assert "First: good (" in ranking.verdict
    assert "2 of 9 cells" in ranking.verdict
    tab = opened(ranking)
    assert "too few samples" in tab.locator("table").first.inner_text()


def test_where_attacks_alone_are_compared_triggers_are_ranked():
    def attacked(trigger, rate, success):
        about = {"rule": "direct", "attack.trigger": trigger, "attack.rate": rate}
        return row(0, 0.9, success, stage="direct", **about)

    made = (("weak", 0.01, 0.2), ("weak", 0.1, 0.4), ("strong", 0.01, 0.8), ("strong", 0.1, 1.0))
    rows = [attacked(*one) for one in made]
    ranking = of_leaderboard({"digits": Table.of(rows).mean()}, "spikedoor sweep digits.toml")
    assert ranking.verdict.endswith("All 4 cells have a value.")
    ranked = section(ranking, "digits: attacks")["table"]
    assert ranked["columns"] == ["method", "mean", "cells", "rate 0.01", "rate 0.1"]
    told = [(line[0], round(line[1]["value"], 9), line[2]) for line in ranked["rows"]]
    assert told == [("strong", 0.9, "2 of 2"), ("weak", 0.3, "2 of 2")]


@pytest.mark.parametrize("method", [None, "strip"])
def test_no_cell_stands_for_another(method):
    auroc = dict.fromkeys(("auroc", "auroc.low", "auroc.high", "auroc.count"), 0.7)
    about = {"rule": "direct", "stage": "direct", "defence.method": method}
    rows = [
        row(seed, 0.9, 0.8, **about | {"network.width": width} | (auroc if method else {}))
        for seed in (0, 1)
        for width in (8, 16)
    ]
    board = section(of_study("two", Table.of(rows), ""), "The board")["table"]
    told = [one for line in board["rows"] for one in line[1:] if one is not None]
    assert len(told) == len(rows)
