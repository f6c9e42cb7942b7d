"""MNIST and CIFAR-10 as published, where they are at hand."""

import os
from pathlib import Path

import numpy as np
import pytest

from spikedoor.data import Cifar10, Dataset, Mnist

ROOT = os.environ.get("SPIKEDOOR_DATA")


def load(source: type[Mnist] | type[Cifar10], folder: str) -> Dataset:
    if ROOT is None or not Path(ROOT, folder).is_dir():
        pytest.skip(f"needs {folder} below SPIKEDOOR_DATA")
    return source().load()


def moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each channel, from the counts of the 256 values."""
    values = np.arange(256) / 255
    counts = [np.bincount(images[:, c].ravel(), minlength=256) for c in range(images.shape[1])]
    mean = np.array([(n * values).sum() / n.sum() for n in counts])
    square = np.array([(n * values**2).sum() / n.sum() for n in counts])
    return mean, np.sqrt(square - mean**2)


def test_mnist():
    dataset = load(Mnist, "MNIST")
    assert dataset.train.images.shape == (60000, 1, 28, 28)
    assert dataset.test.images.shape == (10000, 1, 28, 28)
    # Counts as listed by many, e.g. for the training set 5,923 zeros and 6,742 ones.
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(dataset.train.labels).tolist() == counts
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(dataset.test.labels).tolist() == counts
    assert dataset.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    # The constants that published training scripts normalise with.
    mean, deviation = moments(dataset.train.images)
    np.testing.assert_allclose(mean, [0.1307], atol=5e-5)
    np.testing.assert_allclose(deviation, [0.3081], atol=5e-5)
    assert dataset.checksums["train-images-idx3-ubyte.gz"].startswith("440fcabf73cc546f")


def test_cifar10():
    dataset = load(Cifar10, "cifar-10-batches-py")
    assert dataset.train.images.shape == (50000, 3, 32, 32)
    assert dataset.test.images.shape == (10000, 3, 32, 32)
    assert np.bincount(dataset.train.labels).tolist() == [5000] * 10
    assert np.bincount(dataset.test.labels).tolist() == [1000] * 10
    assert dataset.train.classes[6] == "frog"
    assert dataset.train.labels[0] == 6
    # The constants that published training scripts normalise with.
    mean, deviation = moments(dataset.train.images)
    np.testing.assert_allclose(mean, [0.4914, 0.4822, 0.4465], atol=5e-5)
    np.testing.assert_allclose(deviation, [0.2470, 0.2435, 0.2616], atol=5e-5)
    assert len(dataset.checksums) == 7


def test_cifar10_limits_are_first_come_in_each_class():
    whole = load(Cifar10, "cifar-10-batches-py")
    part = Cifar10(train_limit=1000, test_limit=10).load()
    assert np.bincount(part.train.labels).tolist() == [100] * 10
    assert np.bincount(part.test.labels).tolist() == [1] * 10
    for label in (0, 9):
        first = whole.train.images[whole.train.labels == label][:100]
        np.testing.assert_array_equal(part.train.images[part.train.labels == label], first)
