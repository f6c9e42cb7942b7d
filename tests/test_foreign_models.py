"""Networks of other libraries: the scripts that make them, and what docs/foreign-models.md says."""

import csv
from importlib import import_module

import numpy as np
import pytest
import torch
from document_cases import ROOT

from spikedoor.data import ImageSet
from spikedoor.victim import from_module, nir

PAGE = ROOT / "docs" / "foreign-models.md"
STEPS = 4


@pytest.fixture(scope="module")
def rows():
    with (ROOT / "docs" / "results" / "foreign-models.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def images():
    """Noise with a bright square whose place tells its class."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 200)
    pixels = random.integers(0, 60, (200, 1, 28, 28), dtype=np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        row, column = 4 + 14 * (label // 5), 1 + 5 * (label % 5)
        image[0, row : row + 6, column : column + 6] = 255
    return ImageSet(pixels, labels, tuple("0123456789"), "squares")


@pytest.mark.filterwarnings("ignore:nirtorch.extract_nir_graph:DeprecationWarning")
@pytest.mark.parametrize(
    ("library", "options", "roads"),
    [
        ("spikingjelly", {}, ("adapter", "nir")),
        ("snntorch", {"reset_mechanism": "zero", "reset_delay": False}, ("adapter", "nir")),
        ("snntorch", {}, ("adapter",)),  # NIR has no word for a reset one step later
    ],
)
def test_a_trained_network_says_the_same_by_each_road(
    library, options, roads, images, tmp_path, monkeypatch
):
    pytest.importorskip(library)
    monkeypatch.syspath_prepend(ROOT / "studies")
    made = import_module(f"foreign.{library}_mnist")
    shown = torch.from_numpy(np.array(images.images)).float() / 255
    net = made.fit(shown, torch.from_numpy(np.array(images.labels)), 0, epochs=5, **options)
    said = made.predict(net, shown).numpy()
    assert (said == images.labels).mean() > 0.5
    made.export(net, tmp_path / "model.nir")
    for road in roads:
        victim = (
            from_module(net, images.shape, 10, made.STEPS)
            if road == "adapter"
            else nir.read(tmp_path / "model.nir", 10, made.STEPS)
        )
        np.testing.assert_array_equal(victim.final.predict(images)[-1], said)
