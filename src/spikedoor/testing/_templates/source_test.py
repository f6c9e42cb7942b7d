"""What my-source keeps, and what it reads."""

import numpy as np
import pytest
from my_plugin import MySource

from spikedoor.errors import DataError
from spikedoor.testing import check_source


def written(folder, lines):
    path = folder / "images.csv"
    path.write_text("\n".join(lines) + "\n")
    return MySource(path=path)


def test_it_keeps_what_every_source_keeps(tmp_path):
    lines = [f"{i % 3},{i},255,0,{i}" for i in range(60)]
    check_source(written(tmp_path, lines))


def test_labels_and_pixels_are_those_of_the_file(tmp_path):
    data = written(tmp_path, ["0,1,2,3,4", "1,250,251,252,253"] * 5).load()
    pictures = {label: data.train.images[i] for i, label in enumerate(data.train.labels)}
    assert pictures[0].tolist() == [[[1, 2], [3, 4]]]
    assert pictures[1].tolist() == [[[250, 251], [252, 253]]]
    assert np.bincount(data.test.labels).tolist() == [1, 1]


@pytest.mark.parametrize("line", ["0,1,2", "0,1,2,3,256", "-1,1,2,3,4", "a,b"])
def test_a_wrong_file_is_refused(tmp_path, line):
    with pytest.raises(DataError, match="expected"):
        written(tmp_path, [line] * 10).load()
