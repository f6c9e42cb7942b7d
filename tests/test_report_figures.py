"""Figures say what the records say, and are written whole or not at all."""

import subprocess
import sys

import numpy as np
import pytest
from test_report_tables import ALL_ZERO, HALF_FOOLED, OTHER_FOOLED, RIGHT, answers, record

from spikedoor.errors import OutputError
from spikedoor.records import Gallery
from spikedoor.report.figures import overview, save
from spikedoor.report.preview import changes, sheet


@pytest.fixture
def hybrid():
    stages = {
        "ann": answers((RIGHT, HALF_FOOLED)),
        "converted": answers((ALL_ZERO, ALL_ZERO), (RIGHT, OTHER_FOOLED)),
        "finetuned": answers((RIGHT, OTHER_FOOLED), (RIGHT, HALF_FOOLED)),
    }
    twin = {name: answers(*[(RIGHT, RIGHT)] * said.steps) for name, said in stages.items()}
    return record("hybrid", stages, twin)


def panel(figure):
    (axes,) = [a for a in figure.findobj(lambda o: hasattr(o, "get_xlabel")) if a.get_xlabel()]
    return axes


def test_panel_draws_the_scores(hybrid):
    axes = panel(overview([hybrid]))
    drawn = [np.asarray(line.get_ydata(), float) for line in axes.get_lines()]
    ann_accuracy, ann_success, *courses, twin = drawn
    assert set(ann_accuracy) == {100}
    assert ann_success[0] == pytest.approx(500 / 9)
    assert set(twin) == {0}
    accuracy_converted, success_converted, accuracy, success = courses
    assert accuracy_converted.tolist() == [10, 100]
    assert np.isnan(success_converted[0])  # diverged: clean accuracy is at chance
    assert success_converted[1] == pytest.approx(400 / 9)
    assert accuracy.tolist() == [100, 100]
    assert success == pytest.approx([400 / 9, 500 / 9])
    low, high = axes.get_ylim()
    assert low <= 0 <= 100 <= high


def test_one_panel_a_record(hybrid):
    figure = overview([hybrid, hybrid])
    titled = [a for a in figure.findobj(lambda o: hasattr(o, "get_xlabel")) if a.get_xlabel()]
    assert [axes.get_title(loc="left") for axes in titled] == ["LR_H hybrid"] * 2


@pytest.mark.parametrize(
    ("ending", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_pictures_are_written_and_repeat(tmp_path, hybrid, ending, magic):
    first = save(overview([hybrid]), tmp_path / f"a.{ending}").read_bytes()
    second = save(overview([hybrid]), tmp_path / f"b.{ending}").read_bytes()
    assert first.startswith(magic)
    assert first == second
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"a.{ending}", f"b.{ending}"]


@pytest.mark.parametrize(
    ("name", "told"), [("x.bmp", r"\.png, \.svg or \.pdf"), ("no/x.png", "no folder")]
)
def test_wrong_places_are_refused(tmp_path, hybrid, name, told):
    with pytest.raises(OutputError, match=told):
        save(overview([hybrid]), tmp_path / name)


def test_changes_are_counted():
    clean = np.full((2, 3, 4, 4), 100, np.uint8)
    triggered = clean.copy()
    triggered[0, :, :2, :2] = 250
    triggered[1, 1, 0, 0] = 60
    gallery = Gallery(clean, triggered, np.array([0, 1]))
    patch, dot = changes(gallery)
    assert patch == (4, 0.25, 150 / 4, 150)
    assert dot == (1, 1 / 16, 40 / 48, 40)
    assert str(patch) == "4 px (25.0 %), mean change 37.50, largest 150"
    figure = sheet(gallery, ("cat", "dog"), "title")
    words = {t.get_text() for t in figure.findobj(lambda o: hasattr(o, "get_text"))}
    assert {"cat", "dog", "clean", "triggered", "difference", "title"} <= words
    shown = figure.axes[0].get_images()[0]
    assert shown.get_interpolation() == "nearest"


def test_report_needs_no_torch():
    code = (
        "import sys, spikedoor.report.tables, spikedoor.report.figures, spikedoor.report.preview\n"
        "sys.exit('torch' in sys.modules or 'matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
