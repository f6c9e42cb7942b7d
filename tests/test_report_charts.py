"""Figures of a study draw the means of its rows with their intervals, or say what is missing."""

import numpy as np
import pytest
from table_cases import row

from spikedoor.errors import ConfigError
from spikedoor.metrics import mean_interval
from spikedoor.records.query import Table
from spikedoor.report.charts import CHARTS, migration


def converted(steps, successes):
    rows = []
    for seed, success in enumerate(successes):
        made = row(seed, 0.9, success, success, stage="converted", T=steps)
        rows.append(made | {"rule": "conversion"})
    return rows


def test_migration_draws_means_and_intervals():
    table = Table.of(converted(4, (0.2, 0.3, 0.5)) + converted(8, (0.6, 0.7, 0.7)))
    (chart,) = migration(table)
    (drawn,) = chart.figure.axes[1].containers
    found = [mean_interval(v, (0, 1)) for v in ((0.2, 0.3, 0.5), (0.6, 0.7, 0.7))]
    np.testing.assert_allclose(drawn[0].get_ydata(), [100 * one.value for one in found])
    ends = [bar[:, 1] for bar in drawn[2][0].get_segments()]
    np.testing.assert_allclose(ends, [100 * np.array(one.interval) for one in found])
    assert "n = 3 runs" in chart.caption


@pytest.mark.parametrize("kind", sorted(set(CHARTS) - {"overhead"}))
def test_says_what_is_missing(kind):
    with pytest.raises(ConfigError, match=f"figure '{kind}': the study has no"):
        CHARTS[kind](Table.of([row(0, 0.9, 0.5) | {"rule": "ann"}]))


def test_detectors_and_eliminators_are_drawn_where_they_stand():
    def found(method, stage, accuracy, success, area=None):
        told = {"rule": "direct", "defence.method": method, "twin_false_alarms": None}
        for name, value in (("auroc", area), ("twin_false_alarms", area and 0.05)):
            told |= {name: value, f"{name}.low": value, f"{name}.high": value}
            told[f"{name}.count"] = None if value is None else 10
        return row(0, accuracy, success, stage=stage, part="LR_B", **told)

    table = Table.of(
        [
            found("strip", "direct", 0.9, 0.8, 0.7),
            found("rnp", "direct", 0.9, 0.8),
            found("rnp", "repaired", 0.6, 0.1),
        ]
    )
    left, seen = CHARTS["defences"](table)
    (axes,) = left.figure.axes
    at = [(one[0].get_xdata()[0], one[0].get_ydata()[0]) for one in axes.containers]
    np.testing.assert_allclose(at, [(90, 80), (60, 10)])
    area, alarms = seen.figure.axes
    assert area.containers[0][0].get_xdata()[0] == pytest.approx(70)
    assert alarms.containers[0][0].get_xdata()[0] == pytest.approx(5)


def test_no_repair_stands_over_another():
    def found(rate, stage, *scores, **told):
        about = {"rule": "direct", "part": "LR_B", "attack__rate": rate, **told}
        return row(0, *scores, stage=stage, defence__method="rnp", **about)

    rows = [
        found(rate, stage, accuracy, success, defence__clean=clean)
        for rate, success in ((0.01, 0.3), (0.1, 0.8))
        for clean, accuracy in ((0.05, 0.6), (0.2, 0.7))
        for stage in ("direct", "repaired")
    ]
    (chart,) = CHARTS["defences"](Table.of(rows))
    panels = {axes.get_title(): axes.containers for axes in chart.figure.axes}
    assert list(panels) == ["LR_B\nrate 0.01", "LR_B\nrate 0.1"]
    for marks, success in zip(panels.values(), (30, 80), strict=True):  # the first: before
        at = [(one[0].get_xdata()[0], one[0].get_ydata()[0]) for one in marks[1:]]
        np.testing.assert_allclose(at, [(60, success), (70, success)])
    (legend,) = chart.figure.legends
    told = [text.get_text() for text in legend.get_texts()]
    assert told == ["before", "rnp, clean 0.05", "rnp, clean 0.2"]


def test_a_victim_is_drawn_once_whatever_defences_it_was_put_to():
    rows = [
        row(0, 0.9, rate, stage=stage, rule="direct", attack__rate=rate, defence__method=method)
        | {f"clean_model{end}": None for end in ("", ".low", ".high", ".count")}
        for rate in (0.2, 0.8)
        for method in ("strip", "rnp")
        for stage in ("direct", "repaired")
    ]
    (chart,) = CHARTS["rate"](Table.of(rows))
    (drawn,) = chart.figure.axes[1].containers
    np.testing.assert_allclose(drawn[0].get_ydata(), [20, 80])


def test_the_rate_is_drawn_by_rule_and_the_overhead_beside_the_twin():
    twin = {"clean_model": 0.01, "clean_model.low": 0.0, "clean_model.high": 0.02}
    rows = [
        row(0, 0.9, success, stage="direct", rule="direct", attack__rate=rate)
        | {**twin, "clean_model.count": 10, "twin_seconds": 1.0, "seconds": 2.0 + rate}
        for rate, success in ((0.01, 0.2), (0.1, 0.8))
    ]
    (chart,) = CHARTS["rate"](Table.of(rows))
    drawn = chart.figure.axes[1].containers[0][0]
    np.testing.assert_allclose(drawn.get_ydata(), [20, 80])
    (chart,) = CHARTS["overhead"](Table.of(rows))
    took = sorted(one[0].get_xdata()[0] for one in chart.figure.axes[0].containers)
    np.testing.assert_allclose(took, [1.0, 2.055])
