"""Simulating a converted VGG11 for many steps, with and without the convolution of spikes.

    python benchmarks/simulation.py [--width 0.25] [--steps 400] [--images 32] [--rounds 3]

A VGG11 is trained briefly on CIFAR-10 (else its firing rates would be those of noise), converted,
and run for some steps on the same test images, in turn: in single precision with the library's
convolutions, with the convolution that multiplies only what is not zero (what users get), and in
bfloat16. Prints the medians as seconds for 1,000 images, the ratio to the first, the firing rate,
and whether the first two say the same of every image.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch

from spikedoor.data import Cifar10
from spikedoor.data.base import Dataset
from spikedoor.errors import MissingDataError
from spikedoor.records.environment import processor
from spikedoor.rules import Training
from spikedoor.rules.conversion import CONVERTERS, Conversion
from spikedoor.snn.kernels import sparse
from spikedoor.snn.networks import VGG
from spikedoor.victim import Stage, activity

CONVERTED_BY = ("max", "percentile")


@contextmanager
def library_convolutions() -> Iterator[None]:
    """Keep spikes from their own road."""
    kept, sparse.supports = sparse.supports, lambda layer, x: False
    try:
        yield
    finally:
        sparse.supports = kept


def converted(data: Dataset, width: float, converter: str) -> Stage:
    rule = Conversion(
        ann=Training(epochs=2, precision="bf16"), converter=CONVERTERS[converter](), steps=1
    )
    return rule.fit(VGG(depth=11, width=width), data.train, seed=0).final


def simulated(stage: Stage, data: Dataset, images: int, way: str) -> tuple[float, np.ndarray]:
    """Return the seconds for 1,000 images, and the predictions."""
    chosen = np.arange(images)
    start = time.perf_counter()
    if way == "library":
        with library_convolutions():
            said = stage.predict(data.test, 0, chosen, title=None)
    else:
        precision = "bf16" if way == "bf16" else "fp32"
        said = stage.predict(data.test, 0, chosen, precision=precision, title=None)
    return (time.perf_counter() - start) * 1000 / images, said


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    data = Cifar10(train_limit=5000, test_limit=max(options.images, 128)).load()
    print(f"{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"VGG11, width {options.width:g}, T = {options.steps}, {options.images} images")
    for converter in CONVERTED_BY:
        stage = replace(converted(data, options.width, converter), steps=options.steps)
        seconds: dict[str, list[float]] = {"library": [], "spikes": [], "bf16": []}
        said = {}
        for _ in range(options.rounds):
            for way, measured in seconds.items():
                took, said[way] = simulated(stage, data, options.images, way)
                measured.append(took)
        rate = activity(replace(stage, steps=64), data.test, options.images).by_sample.mean()
        same = (said["library"] == said["spikes"]).mean()
        print(f"{converter}: firing rate {100 * rate:.1f} %, same predictions {100 * same:.2f} %")
        for way, measured in seconds.items():
            median = statistics.median(measured)
            ratio = statistics.median(seconds["library"]) / median
            print(f"  {way:8} {median:8.1f} s for 1,000 images   {ratio:5.2f}x")


if __name__ == "__main__":
    try:
        main()
    except MissingDataError as error:
        print(f"skipped: {error}")
