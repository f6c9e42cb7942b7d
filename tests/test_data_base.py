"""Image sets: what they accept, that nobody can change them, and drawing from them."""

import pickle

import numpy as np
import pytest

from spikedoor.data import Dataset, ImageSet, SampleSet
from spikedoor.errors import ConfigError, DataError


def make(count: int = 6, classes: tuple[str, ...] = ("a", "b", "c")) -> ImageSet:
    images = np.arange(count * 2 * 3 * 4, dtype=np.uint8).reshape(count, 2, 3, 4)
    return ImageSet(images, np.arange(count) % len(classes), classes, "toy")


def test_is_a_sample_set():
    samples: SampleSet = make()
    assert samples.name == "toy"
    assert samples.shape == (2, 3, 4)
    assert samples.classes == ("a", "b", "c")
    assert samples.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert len(samples) == 6


def test_clean_is_itself():
    images = make()
    assert images.clean is images


def test_arrays_are_read_only_and_the_callers_stay_writable():
    pixels, labels = np.zeros((2, 1, 2, 2), np.uint8), np.array([0, 1])
    images = ImageSet(pixels, labels, ("a", "b"), "toy")
    for array in (images.images, images.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert np.shares_memory(images.images, pixels)
    assert pixels.flags.writeable
    assert labels.flags.writeable
    with pytest.raises(AttributeError):
        images.labels = labels  # pyright: ignore[reportAttributeAccessIssue]


def test_batch_is_fresh_and_in_the_order_asked():
    images = make()
    batch = images.batch(np.array([4, 0, 4]))
    assert batch.dtype == np.uint8
    np.testing.assert_array_equal(batch[:, 0, 0, 0], [96, 0, 96])
    batch[:] = 0
    assert images.images[4].sum() > 0
    assert images.batch(np.array([], np.int64)).shape == (0, 2, 3, 4)


def test_subset_keeps_order_and_labels():
    part = make().subset(np.array([5, 1]))
    assert part.labels.tolist() == [2, 1]
    np.testing.assert_array_equal(part.images[0], make().images[5])
    assert not part.images.flags.writeable
    assert part.classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        (np.array([0, 6]), r"toy: expected indices in 0\.\.5, found 6"),
        (np.array([-1]), r"found -1"),
        (np.array([True, False]), "expected a row of whole numbers as indices, found bool"),
        (np.array([0.0]), "found float64"),
        (np.array([[0]]), r"found int64 \[1, 1\]"),
        (np.array(3), r"found int64 \[\]"),
    ],
)
def test_wrong_indices_are_refused(indices, message):
    for draw in (make().batch, make().subset):
        with pytest.raises(DataError, match=message):
            draw(indices)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"images": np.zeros((2, 1, 2, 2))}, DataError, r"uint8 \[N, C, H, W\], found float64"),
        ({"images": np.zeros((2, 2, 2), np.uint8)}, DataError, r"found uint8 \[2, 2, 2\]"),
        ({"images": [[1]]}, DataError, "expected images as uint8 .*, found list"),
        ({"images": np.zeros((2, 1, 0, 2), np.uint8)}, DataError, "images with pixels"),
        ({"images": np.zeros((3, 1, 2, 2), np.uint8)}, DataError, "2 labels for 3 images"),
        ({"labels": np.array([0, 1], np.int32)}, DataError, r"labels as int64 \[N\], found int32"),
        ({"labels": np.array([0, 2])}, DataError, r"labels in 0\.\.1, found 2"),
        ({"labels": np.array([-1, 0])}, DataError, r"found -1"),
        ({"classes": ()}, ConfigError, "distinct class names"),
        ({"classes": ("a", "a")}, ConfigError, "distinct class names"),
    ],
)
def test_wrong_contents_are_refused(changes, error, message):
    fields = {
        "images": np.zeros((2, 1, 2, 2), np.uint8),
        "labels": np.array([0, 1]),
        "classes": ("a", "b"),
        "name": "toy",
    }
    with pytest.raises(error, match=message) as caught:
        ImageSet(**{**fields, **changes})
    assert str(caught.value).startswith("toy: ")
    assert "\n" not in str(caught.value)


def test_an_empty_set_is_allowed():
    assert len(make().subset(np.array([], np.int64))) == 0


def test_dataset_holds_its_parts():
    dataset = Dataset("toy", make(), make(), {"file": "00"})
    assert dataset.train.shape == dataset.test.shape


def test_a_data_set_in_place_of_samples_is_told_of_it():
    dataset = Dataset("toy", make(), make(), {"file": "00"})
    with pytest.raises(AttributeError, match=r"no 'subset'; its samples are in `\.train`"):
        getattr(dataset, "subset")  # noqa: B009 (the checker knows that there is none)
    assert pickle.loads(pickle.dumps(dataset)).name == "toy"
