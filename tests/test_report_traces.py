"""The picture of output neurons draws what was recorded, and marks the two classes that matter."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_hex

from spikedoor.records.traces import Course, OutputTraces, Probed
from spikedoor.report.figures import save
from spikedoor.report.traces import output_figure

CLASSES = ("cat", "dog", "emu")
TARGET, TRUE = "#d55e00", "#0072b2"


def course(predicted, seed):
    random = np.random.default_rng(seed)
    current, membrane = random.normal(size=(2, 5, 3)).astype(np.float32)
    spikes = (membrane > 0.4).astype(np.float32)
    spikes[4, 2] = -1
    return Course(membrane, spikes, current, predicted)


@pytest.fixture
def probed():
    picture = np.full((1, 8, 8), 100, np.uint8)
    traces = OutputTraces("direct", 0.4, course(2, 0), course(1, 1))
    return Probed("pets", "direct", "victim", 17, 2, 1, CLASSES, picture, picture, (traces,))


def panels(figure):
    """Return the six panels in rows: membrane, raster, voltage."""
    return np.array([a for a in figure.axes if not a.get_images()]).reshape(3, 2)


def lines(axes):
    return {to_hex(line.get_color()): np.asarray(line.get_ydata()) for line in axes.get_lines()}


def test_draws_the_traces(probed):
    drawn = panels(output_figure(probed))
    traces = probed.stages[0]
    for column, shown in enumerate((traces.clean, traces.triggered)):
        membrane, raster, voltage = drawn[:, column]
        assert np.array_equal(lines(membrane)[TARGET], shown.membrane[:, 1])
        assert np.array_equal(lines(membrane)[TRUE], shown.membrane[:, 2])
        assert 0.4 in [line.get_ydata()[0] for line in membrane.get_lines()]
        sums = [sum(shown.current[: t + 1, 1]) for t in range(5)]
        np.testing.assert_allclose(lines(voltage)[TARGET], sums, rtol=1e-5)
        dots = np.concatenate([np.asarray(c.get_offsets()) for c in raster.collections])
        at = {(int(step) - 1, int(k)) for step, k in dots}
        assert at == set(zip(*np.nonzero(shown.spikes), strict=True))
        assert shown.spikes.any()
    assert [a.get_title() for a in drawn[0]] == ["clean: taken for emu", "triggered: taken for dog"]
    (legend,) = [x for sub in output_figure(probed).subfigs for x in sub.legends]
    assert {"target class: dog", "true class: emu", "spike taken back"} <= {
        t.get_text() for t in legend.get_texts()
    }


def test_is_written_and_repeats(tmp_path, probed):
    first, second = (
        save(output_figure(probed), tmp_path / f"{name}.svg").read_bytes() for name in "ab"
    )
    assert first == second


def test_needs_no_torch():
    code = "import sys, spikedoor.report.traces\nsys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
