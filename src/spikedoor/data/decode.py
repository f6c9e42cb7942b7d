"""Decode one image from bytes of unknown origin."""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from spikedoor.errors import DataError

__all__ = ["MAX_PIXELS", "decode"]

MAX_PIXELS = 1 << 26
_EIGHT_BIT = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")


def decode(data: bytes, name: str, channels: int = 3, size: int | None = None) -> NDArray[np.uint8]:
    """Decode a PNG, JPEG or BMP image; its size is looked at before a pixel is decoded.

    Args:
        data: The file.
        name: What to call it in a message.
        channels: 1 for grey, 3 for colour.
        size: Side to resize to, both ways: area average to shrink, bilinear to enlarge.

    Returns:
        ``uint8 [channels, height, width]``.

    Raises:
        DataError: If it is no such image, is damaged, or has more than `MAX_PIXELS` pixels.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(data), formats=("PNG", "JPEG", "BMP"))
        _check(image.size, image.mode, name)
        if "transparency" in image.info:
            image = image.convert("RGBA")
        image = image.convert("L" if channels == 1 else "RGB")
        if size is not None and image.size != (size, size):
            shrinks = min(image.size) >= size
            how = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
            image = image.resize((size, size), how)
        pixels = np.array(image, np.uint8)
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise DataError(f"{name}: expected at most {MAX_PIXELS} pixels, found more") from None
    except Exception as error:
        # Pillow's decoders raise whatever a broken file leads them to.
        detail = str(error).split("<")[0].strip() or type(error).__name__
        raise DataError(f"{name}: expected a PNG, JPEG or BMP image: {detail}") from None
    return np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1))


def _check(size: tuple[int, int], mode: str, name: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise DataError(
            f"{name}: expected at most {MAX_PIXELS} pixels, found {size[0]} x {size[1]}"
        )
    if mode not in _EIGHT_BIT:
        raise DataError(f"{name}: expected 8 bits a channel, found an image of mode {mode}")
