"""Detectors of training data on real images, on the case that each one's paper claims."""

import os
import runpy
from pathlib import Path

import pytest

STUDY = Path(__file__).parents[1] / "studies" / "detector_claims.py"


def test_each_finds_what_its_paper_says_that_it_finds():
    if not Path(os.environ.get("SPIKEDOOR_DATA", "nowhere"), "MNIST").is_dir():
        pytest.skip("needs MNIST below SPIKEDOOR_DATA")
    study = runpy.run_path(str(STUDY))
    told = dict(zip(study["COLUMNS"], map(float, study["row"](0).split(",")), strict=True))
    assert told["spectral_ann"] > 0.95
    assert told["clustering_ann"] > 0.95
    # A tenth of all samples is poison.
    assert told["abl_isolated"] > 0.8
