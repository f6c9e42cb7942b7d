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
    found = [mean_interval(values) for values in ((0.2, 0.3, 0.5), (0.6, 0.7, 0.7))]
    np.testing.assert_allclose(drawn[0].get_ydata(), [100 * one.value for one in found])
    ends = [bar[:, 1] for bar in drawn[2][0].get_segments()]
    np.testing.assert_allclose(ends, [100 * np.array(one.interval) for one in found])
    assert "n = 3 runs" in chart.caption


@pytest.mark.parametrize("kind", sorted(set(CHARTS) - {"overhead"}))
def test_says_what_is_missing(kind):
    with pytest.raises(ConfigError, match=f"figure '{kind}': the study has no"):
        CHARTS[kind](Table.of([row(0, 0.9, 0.5) | {"rule": "ann"}]))
