"""Networks of other libraries: the scripts that make them, and what docs/foreign-models.md says."""

import csv
from collections import Counter
from importlib import import_module

import numpy as np
import pytest
import torch
from document_cases import ROOT

from spikedoor.data import ImageSet
from spikedoor.victim import from_module, nir

STEPS = 4


def results(name):
    with (ROOT / "docs" / "results" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def rows():
    return results("foreign-models")


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
@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize(
    ("kind", "roads"),
    [
        ("spikingjelly", ("adapter", "nir")),
        ("snntorch-zero", ("adapter", "nir")),
        ("snntorch", ("adapter",)),  # NIR has no word for a reset one step later
        ("norse", ("nir",)),
        ("sinabs-single", ("nir",)),
    ],
)
def test_a_trained_network_says_the_same_by_each_road(kind, roads, images, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "studies")
    library = import_module("foreign.networks").LIBRARIES[kind]
    if not library.installed:
        pytest.skip(f"{library.package} is not installed")
    made, options = library.script, library.options
    shown = torch.from_numpy(np.array(images.images)).float() / 255
    net = made.fit(shown, torch.from_numpy(np.array(images.labels)), 0, epochs=5, **options)
    said = made.predict(net, shown).numpy()
    assert (said == images.labels).mean() > 0.5
    made.export(net, tmp_path / "model.nir")
    for road in roads:
        victim = (
            from_module(net, images.shape, 10, made.STEPS)
            if road == "adapter"
            else nir.read(tmp_path / "model.nir", 10, made.STEPS, **library.told)
        )
        np.testing.assert_array_equal(victim.final.predict(images)[-1], said)


def by_road(rows, road):
    return {
        (row["library"], row["attack"], row["seed"]): row for row in rows if row["road"] == road
    }


def test_what_the_page_says_is_in_the_results(rows):
    adapter, nir_road = by_road(rows, "adapter"), by_road(rows, "nir")
    assert (len(adapter), len(nir_road)) == (30, 40)
    assert all(float(row["same_answers"]) == 1 for row in adapter.values())
    exact = [key for key, row in nir_road.items() if row["same_answers"] == "1.0000"]
    assert Counter(library for library, _, _ in exact) == {
        "spikingjelly": 12, "snntorch-zero": 3, "norse": 3, "sinabs-single": 3,
        "sinabs-single-lif": 3,
    }  # fmt: skip
    assert [key for key, row in nir_road.items() if row["refusal"]] == [("norse-lif", "clean", "0")]
    new = [row for (library, *_), row in nir_road.items() if library.startswith(("nor", "sin"))]
    told = Counter((row["attack"] == "clean", row["verdict"], row["accused"]) for row in new)
    assert told == {
        (True, "", ""): 1, (True, "nothing found", ""): 3, (True, "unclear", "2"): 1,
        (False, "backdoor", "0"): 4, (False, "unclear", "0"): 3, (False, "nothing found", ""): 1,
    }  # fmt: skip
    bad = [row for (_, attack, _), row in adapter.items() if attack != "clean"]
    assert Counter("0" in row["accused"].split("+") for row in bad) == {True: 14, False: 2}
    assert sum(row["verdict"] == "backdoor" for row in bad) == 8
    clean = Counter(row["verdict"] for key, row in adapter.items() if key[1] == "clean")
    assert clean == {"nothing found": 10, "unclear": 3, "backdoor": 1}
    differing = [
        key
        for key in exact
        if key in adapter
        and (adapter[key]["verdict"], adapter[key]["accused"])
        != (nir_road[key]["verdict"], nir_road[key]["accused"])
    ]
    assert len(differing) == 3


def test_what_the_page_says_of_wrapped_networks_is_in_the_results():
    with (ROOT / "docs" / "results" / "wrapped-models.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert Counter(row["attack"] for row in rows) == {"clean": 3, "patch": 3}
    for row in rows:
        assert float(row["same_answers"]) == 1
        assert row["neuron-audit"] == "refused"
        found = row["attack"] == "patch"
        assert (row["verdict"], row["accused"]) == (
            ("backdoor", "0") if found else ("nothing found", "")
        )
        assert row["rate-statistics"] == row["tmpbd"] == ("0" if found else "none")
        assert 72 <= float(row["cpu_seconds"]) <= 80
    assert [row["neural-cleanse"] for row in rows].count("0") == 1
    bad = [row for row in rows if row["attack"] == "patch"]
    assert all(0.69 <= float(row["fine_tuning_success"]) <= 0.765 for row in bad)
    assert all(0.31 <= float(row["fine_pruning_success"]) <= 0.53 for row in bad)


def test_what_the_page_says_of_repairs_is_in_the_results():
    def network(row):
        return row["library"], row["attack"], row["seed"]

    found = results("foreign-repairs")
    before = {network(row): row for row in found if row["method"] == "none"}
    cleaned, lost = set(), {}
    for row in found:
        old = before[network(row)]
        lost[row["method"], network(row)] = cost = round(
            100 * (float(old["clean_accuracy"]) - float(row["clean_accuracy"])), 2
        )
        if row["attack"] != "clean" and float(row["attack_success"]) <= 0.1 and cost <= 5:
            cleaned.add(network(row))
        if row["method"] == "clp":
            assert cost == 0
            assert row["attack"] == "clean" or row["attack_success"] == old["attack_success"]
    assert Counter(attack for _, attack, _ in cleaned) == {"patch": 4}
    assert max(lost.values()) == 10.45
    assert max(lost, key=lost.get)[0] == "ndsbm"
