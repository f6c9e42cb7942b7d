"""Data of one's own: by the path of a folder, and by ten lines of Python."""

import numpy as np
import pytest
from event_files import atis
from PIL import Image

from spikedoor.data import EventFolder, ImageFolder
from spikedoor.data.own import folder_source
from spikedoor.errors import ConfigError, DataError, MissingDataError


def images(root, part="", count=4):
    for label, name in enumerate("ab"):
        folder = root / part / name
        folder.mkdir(parents=True)
        for number in range(count):
            Image.new("L", (4, 4), 100 * label + number).save(folder / f"{number}.png")


def recordings(root, count=4):
    for label, name in enumerate("ab"):
        (root / name).mkdir(parents=True)
        for number in range(count):
            events = [(x, label, 10 * x, 1) for x in range(number + 1)]
            (root / name / f"{number}.bin").write_bytes(atis(events))


def test_what_lies_in_a_folder_tells_its_source(tmp_path):
    images(tmp_path / "images")
    recordings(tmp_path / "recordings")
    assert isinstance(folder_source(tmp_path / "images", size=8), ImageFolder)
    made = folder_source(tmp_path / "recordings", sensor=(34, 34))
    assert isinstance(made, EventFolder)
    assert made.sensor == (34, 34)


def test_all_images_of_a_flat_folder_are_named_and_those_of_a_test_folder_are_not(tmp_path):
    images(tmp_path / "flat")
    samples, names = ImageFolder(path=tmp_path / "flat", channels=1).inventory()
    assert names == ("a/0.png", "a/1.png", "a/2.png", "a/3.png",
                     "b/0.png", "b/1.png", "b/2.png", "b/3.png")  # fmt: skip
    assert samples.batch(np.arange(8))[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 100, 101, 102, 103]
    images(tmp_path / "divided", "train", 2)
    images(tmp_path / "divided", "test", 1)
    samples, names = ImageFolder(path=tmp_path / "divided").inventory()
    assert names == ("train/a/0.png", "train/a/1.png", "train/b/0.png", "train/b/1.png")
    assert samples.labels.tolist() == [0, 0, 1, 1]


def test_all_recordings_of_a_flat_folder_are_named(tmp_path):
    recordings(tmp_path)
    samples, names = EventFolder(path=tmp_path, sensor=(34, 34)).inventory()
    assert names[3:5] == ("a/3.bin", "b/0.bin")
    assert [len(samples.batch(np.array([i])).t) for i in range(8)] == [1, 2, 3, 4, 1, 2, 3, 4]
    assert samples.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("folder", "settings", "error", "told"),
    [
        ("nowhere", {}, MissingDataError, "found nothing"),
        ("images/a/0.png", {}, MissingDataError, "found a file"),
        ("images/a", {}, DataError, "subfolder for each class"),
        ("recordings", {}, ConfigError, "--sensor"),
        ("images", {"sensor": (34, 34)}, ConfigError, "no sensor"),
        ("recordings", {"sensor": (34, 34), "size": 8}, ConfigError, "not resized"),
    ],
)
def test_what_is_no_folder_of_data_is_refused(tmp_path, folder, settings, error, told):
    images(tmp_path / "images")
    recordings(tmp_path / "recordings")
    with pytest.raises(error, match=told):
        folder_source(tmp_path / folder, **settings)


def test_folds_and_limits_would_leave_out_files(tmp_path):
    images(tmp_path)
    with pytest.raises(ConfigError, match="neither fold nor train_limit"):
        ImageFolder(path=tmp_path, train_limit=2).inventory()
