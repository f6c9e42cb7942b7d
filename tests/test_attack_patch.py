"""The patch, pixel by pixel, against tables made by hand."""

import numpy as np
import pytest

from spikedoor.attack.triggers.patch import Patch
from spikedoor.attack.triggers.patterns import COLOUR_SQUARE, resize_by_area
from spikedoor.errors import ConfigError


def drawn(picture: str) -> np.ndarray:
    """Turn a drawing (# marked, . not) into bool [H, W]."""
    return np.array([[mark == "#" for mark in row] for row in picture.split()])


def blank(channels: int = 1, height: int = 5, width: int = 6, level: int = 7) -> np.ndarray:
    return np.full((2, channels, height, width), level, dtype=np.uint8)


FLUSH = {
    "top-left": "##.... ##.... ...... ...... ......",
    "top-right": "....## ....## ...... ...... ......",
    "bottom-left": "...... ...... ...... ##.... ##....",
    "bottom-right": "...... ...... ...... ....## ....##",
}
# Upper left corners (s, s), (W-s, s), (s, H-s), (W-s, H-s) for s = 2, W = 6, H = 5.
RELEASED_CODE = {
    "top-left": "...... ...... ..##.. ..##.. ......",
    "top-right": "...... ...... ....## ....## ......",
    "bottom-left": "...... ...... ...... ..##.. ..##..",
    "bottom-right": "...... ...... ...... ....## ....##",
}


@pytest.mark.parametrize("corner", FLUSH)
@pytest.mark.parametrize(
    ("placement", "pictures"), [("flush", FLUSH), ("released-code", RELEASED_CODE)]
)
def test_square_sits_where_it_is_drawn(placement, pictures, corner):
    square = drawn(pictures[corner])
    patch = Patch(size=2, corner=corner, placement=placement)
    expected = np.where(square, 255, 7).astype(np.uint8)
    marked = patch.apply(blank(channels=3))
    assert marked.shape == (2, 3, 5, 6)
    assert (marked == expected).all()
    assert (patch.mask((3, 5, 6)) == square).all()


@pytest.mark.parametrize(
    ("corner", "picture"),
    [
        ("top-left", "...... ...... .##... .##... ......"),
        ("bottom-right", "...... ...##. ...##. ...... ......"),
        ("bottom-left", "...... .##... .##... ...... ......"),
        ("top-right", "...... ...... ...##. ...##. ......"),
    ],
)
def test_inset_moves_the_square_inwards(corner, picture):
    assert (Patch(size=2, corner=corner, inset=(1, 2)).mask((1, 5, 6)) == drawn(picture)).all()


def test_inset_adds_to_the_released_placement():
    patch = Patch(size=2, corner="top-left", placement="released-code", inset=(1, 0))
    assert (patch.mask((1, 5, 6)) == drawn("...... ...... ...##. ...##. ......")).all()


def test_one_value_for_each_channel_is_rounded_to_a_level():
    marked = Patch(size=1, corner="top-left", value=(1.0, 0.5, 0.0)).apply(blank(3))
    assert marked[:, :, 0, 0].tolist() == [[255, 128, 0]] * 2
    assert (marked[:, :, 0, 1:] == 7).all()


def test_checkerboard_starts_bright_and_takes_the_value():
    marked = Patch(size=3, corner="top-left", pattern="checkerboard", value=0.2).apply(blank())
    expected = [[51, 0, 51], [0, 51, 0], [51, 0, 51]]
    assert marked[0, 0, :3, :3].tolist() == expected


def test_rows_of_grey_levels_fit_any_number_of_channels():
    patch = Patch(size=2, corner="bottom-left", pattern=((1, 2), (3, 250)))
    for channels in (1, 2, 3, 4):
        marked = patch.apply(blank(channels))
        assert marked[0, :, -2:, :2].tolist() == [[[1, 2], [3, 250]]] * channels


def test_rows_of_colours():
    rows = (((255, 0, 0), (0, 255, 0)), ((0, 0, 255), 9))
    patch = Patch(size=2, corner="top-left", pattern=rows)
    assert patch.apply(blank(3))[0, :, :2, :2].tolist() == [
        [[255, 0], [0, 9]],
        [[0, 255], [0, 9]],
        [[0, 0], [255, 9]],
    ]
    # ITU-R BT.601: .299 * 255 = 76.2, .587 * 255 = 149.7, .114 * 255 = 29.1
    assert patch.apply(blank(1))[0, 0, :2, :2].tolist() == [[76, 150], [29, 9]]


def test_colour_square_at_its_own_size_is_the_table():
    marked = Patch(size=5, corner="top-left", pattern="colour").apply(blank(3))
    assert marked[0, :, 0, 0].tolist() == [239, 16, 11]
    assert marked[0, :, 0, 4].tolist() == [244, 243, 255]
    assert marked[0, :, 4, 0].tolist() == [10, 238, 239]
    assert marked[0, :, 3, 4].tolist() == [1, 2, 65]
    assert (marked[0, :, :5, :5] == COLOUR_SQUARE.transpose(2, 0, 1)).all()


def test_colour_square_in_grey():
    marked = Patch(size=5, corner="top-left", pattern="colour").apply(blank(1))
    # .299 * 239 + .587 * 16 + .114 * 11 = 82.1;  .299 * 10 + .587 * 11 + .114 * 238 = 36.6
    assert marked[0, 0, 0, 0] == 82
    assert marked[0, 0, 4, 4] == 37


def test_area_resize_repeats_pixels_at_a_multiple_and_averages_below():
    assert (
        resize_by_area(COLOUR_SQUARE, 10, 10) == COLOUR_SQUARE.repeat(2, axis=0).repeat(2, axis=1)
    ).all()
    mean = COLOUR_SQUARE.mean(axis=(0, 1))
    np.testing.assert_allclose(resize_by_area(COLOUR_SQUARE, 1, 1)[0, 0], mean)
    small = np.array([[0.0, 30.0], [60.0, 90.0]])[..., None].repeat(3, axis=-1)
    # A middle pixel of 3 covers half of each old pixel.
    expected = [[0, 15, 30], [30, 45, 60], [60, 75, 90]]
    np.testing.assert_allclose(resize_by_area(small, 3, 3)[..., 0], expected, atol=1e-12)
    for size in (2, 3, 4, 7, 80):
        np.testing.assert_allclose(
            resize_by_area(COLOUR_SQUARE, size, size).mean(axis=(0, 1)), mean
        )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 6}, r"a 6x6 square .* does not fit into a 6x5 image"),
        ({"size": 5, "inset": (2, 0)}, r"x=-1, y=0 does not fit"),
        ({"size": 3, "corner": "top-left", "placement": "released-code"}, r"x=3, y=3 does not"),
        ({"size": 2, "corner": "top-left", "inset": (0, 4)}, r"x=0, y=4 does not fit"),
        ({"value": (0.1, 0.2)}, r"2 values for images of 3 channels"),
    ],
)
def test_what_does_not_fit_is_refused_with_both_sizes(fields, message):
    patch = Patch(**fields)
    with pytest.raises(ConfigError, match=message):
        patch.apply(blank(3, height=5, width=6))
    with pytest.raises(ConfigError, match=message):
        patch.mask((3, 5, 6))


def test_colour_needs_one_or_three_channels():
    with pytest.raises(ConfigError, match="1 or 3 channels, got 2"):
        Patch(size=5, pattern="colour").apply(blank(2))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 0}, "patch: size: .* greater than or equal to 1, got 0"),
        ({"corner": "middle"}, "patch: corner: .*'bottom-right'.* got 'middle'"),
        ({"value": 1.5}, "patch: value.*less than or equal to 1, got 1.5"),
        ({"value": (0.5, -1)}, "patch: value.*1: .*greater than or equal to 0, got -1"),
        ({"inset": (0, -1)}, "patch: inset.1: .*got -1"),
        ({"pattern": "stripes"}, "patch: pattern.*'checkerboard'.*got 'stripes'"),
        ({"pattern": [[1, 2], [3, 4]]}, "expected 3 rows of 3, got 2 rows of 2"),
        ({"size": 2, "pattern": [[1, 2], [3]]}, "expected 2 rows of 2, got 2 rows of 1 or 2"),
        ({"size": 1, "pattern": []}, "expected 1 rows of 1, got 0 rows of 0"),
        ({"size": 1, "pattern": [[256]]}, "pattern.*less than or equal to 255, got 256"),
        ({"size": 1, "pattern": [[(1, 2)]]}, "pattern"),
        ({"pattern": "colour", "value": 0.5}, "'value' has no effect"),
        ({"sizee": 3}, "sizee: unknown key; did you mean 'size'"),
    ],
)
def test_wrong_fields_are_one_line(fields, message):
    with pytest.raises(ConfigError, match=message) as caught:
        Patch(**fields)
    assert "\n" not in str(caught.value)
