"""The embedded digits."""

import numpy as np

from spikedoor.data import DATASETS, Digits


def test_counts_and_shape():
    dataset = Digits().load()
    assert (len(dataset.train), len(dataset.test)) == (1437, 360)
    assert dataset.train.shape == dataset.test.shape == (1, 8, 8)
    assert dataset.train.classes == tuple("0123456789")
    assert dataset.train.images.max() == 255


def test_is_scikit_learns_set_with_each_image_once():
    from sklearn.datasets import load_digits

    dataset = Digits().load()
    pixels, labels = load_digits(return_X_y=True)
    grey = {v: int(np.floor(v * 255 / 16 + 0.5)) for v in range(17)}
    rows = sorted((int(y), *(grey[int(v)] for v in x)) for x, y in zip(pixels, labels, strict=True))
    ours = [
        (int(label), *image.ravel().tolist())
        for part in (dataset.train, dataset.test)
        for image, label in zip(part.images, part.labels, strict=True)
    ]
    assert sorted(ours) == rows


def test_split_is_stratified_and_always_the_same():
    first, second = Digits().load(), Digits().load()
    np.testing.assert_array_equal(first.test.images, second.test.images)
    assert first.checksums == second.checksums
    test, train = (np.bincount(part.labels, minlength=10) for part in (first.test, first.train))
    np.testing.assert_allclose(test, (test + train) * 360 / 1797, atol=1)


def test_registered_under_their_names():
    ours = {"cifar10", "cifar100", "digits", "fashion-mnist", "image-folder", "mnist"}
    assert ours <= set(DATASETS.names())
    member = DATASETS.parse({"name": "digits", "train_limit": 100})
    assert member == Digits(train_limit=100)
    assert len(Digits(train_limit=100).load().train) == 100
