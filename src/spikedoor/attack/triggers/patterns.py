"""Pictures that a trigger shows: how they are written, scaled and turned to grey."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Field, Tag

from spikedoor.errors import ConfigError

__all__ = [
    "COLOUR_SQUARE",
    "LIST",
    "ONE_OF",
    "SINGLE",
    "Picture",
    "Rows",
    "checkerboard",
    "from_rows",
    "resize_by_area",
    "to_channels",
]


def _kind(value: Any) -> str:
    return "list" if isinstance(value, (list, tuple)) else "single"


# The tags make a wrong value one message about what was meant, not one per alternative.
SINGLE, LIST, ONE_OF = Tag("single"), Tag("list"), Discriminator(_kind)

_Level = Annotated[int, Field(ge=0, le=255)]
_Colour = Annotated[
    Annotated[_Level, SINGLE] | Annotated[tuple[_Level, _Level, _Level], LIST], ONE_OF
]
Rows = tuple[tuple[_Colour, ...], ...]
"""A picture as rows of grey levels or RGB triples, 0 to 255."""

Picture = NDArray[np.float64]

# Area averages of the picture `trigger_10.png` of verazuo/badnets-pytorch (MIT licence), top row
# first; the image file itself is not part of this package.
COLOUR_SQUARE: Picture = np.array(
    [
        [(239, 16, 11), (76, 192, 2), (6, 127, 127), (76, 65, 254), (244, 243, 255)],
        [(75, 191, 189), (157, 243, 44), (191, 227, 117), (213, 210, 253), (253, 252, 254)],
        [(2, 127, 127), (86, 127, 27), (134, 127, 134), (127, 127, 229), (127, 127, 115)],
        [(2, 63, 62), (44, 11, 14), (69, 27, 93), (41, 44, 154), (1, 2, 65)],
        [(10, 238, 239), (178, 62, 75), (249, 127, 1), (178, 189, 75), (10, 11, 238)],
    ],
    dtype=np.float64,
)
COLOUR_SQUARE.setflags(write=False)

# ITU-R BT.601-7, section 2.5.1.
_LUMA = np.array([0.299, 0.587, 0.114])


def checkerboard(height: int, width: int) -> NDArray[np.bool_]:
    """Return the bright fields [height, width], a pixel each; the upper left one is bright."""
    row, column = np.indices((height, width))
    return (row + column) % 2 == 0


def from_rows(rows: Rows) -> Picture:
    """Return the RGB picture [h, w, 3] that is written as rows of equal length."""
    rgb = [[(p, p, p) if isinstance(p, int) else p for p in row] for row in rows]
    return np.array(rgb, dtype=np.float64)


def resize_by_area(picture: Picture, height: int, width: int) -> Picture:
    """Scale a picture [h, w, 3] to [height, width, 3].

    Each new pixel is the mean of the old picture over the area that the new pixel covers. At a
    multiple of the old size this repeats pixels.
    """
    old_height, old_width = picture.shape[:2]
    rows, columns = _area_weights(old_height, height), _area_weights(old_width, width)
    return np.einsum("ia,jb,abc->ijc", rows, columns, picture)


def _area_weights(old: int, new: int) -> NDArray[np.float64]:
    """Return how much of each new pixel each old one fills, [new, old]."""
    edges = np.arange(new + 1) * (old / new)
    starts = np.maximum(edges[:-1, None], np.arange(old))
    ends = np.minimum(edges[1:, None], np.arange(1, old + 1))
    return np.clip(ends - starts, 0, None) * (new / old)


def to_channels(picture: Picture, channels: int, name: str) -> NDArray[np.uint8]:
    """Turn an RGB picture [h, w, 3] into rounded levels [channels, h, w].

    One channel takes the luma of ITU-R BT.601; a colourless picture fits any number of channels.

    Raises:
        ConfigError: If a coloured picture meets images of neither one nor three channels.
    """
    if channels == 1:
        planes = (picture @ _LUMA)[None]
    elif channels == 3:
        planes = np.moveaxis(picture, -1, 0)
    elif np.ptp(picture, axis=-1).any():
        raise ConfigError(
            f"trigger '{name}': a coloured pattern needs images of 1 or 3 channels, got {channels}"
        )
    else:
        planes = np.repeat(picture[None, ..., 0], channels, axis=0)
    return np.rint(planes).astype(np.uint8)
