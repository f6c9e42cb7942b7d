"""Recordings of an event camera, clean beside triggered, as a moving picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from spikedoor.data.events import Events
from spikedoor.data.events.film import film
from spikedoor.errors import ConfigError, OutputError
from spikedoor.files import write_file
from spikedoor.report.recordings import Labels, colours

__all__ = ["animation", "save_animation"]

_GAP, _LINE, _SIDE = 8, 16, 170
_INK = (70, 70, 70)


def animation(
    clean: Events,
    triggered: Events,
    labels: Labels,
    classes: Sequence[str],
    frames: int = 30,
    slower: float = 10.0,
) -> bytes:
    """Return a GIF that never ends: the recordings side by side, clean above, triggered below.

    Each frame shows the events of an equal share of time, of the longest recording.

    Args:
        clean: Recordings, one or more.
        triggered: The same with the trigger.
        labels: Their labels.
        classes: Names of the classes.
        frames: Number of frames.
        slower: How many times slower than it was recorded.

    Raises:
        ConfigError: If there are not as many triggered recordings, or no frames.
    """
    if len(clean) != len(triggered) or not len(clean) or frames < 1 or slower <= 0:
        raise ConfigError(
            f"expected as many triggered as clean recordings and one frame or more, "
            f"got {len(triggered)}, {len(clean)} and {frames}"
        )
    both = Events.join([clean, triggered])
    counts, window = film(both, frames)
    busy = counts[counts > 0]
    shown = colours(counts, float(np.quantile(busy, 0.9)) if busy.size else 1.0)
    names = [str(classes[label]) for label in labels]
    pictures = [
        _frame(shown[:, step].reshape(2, len(clean), *shown.shape[2:]), names, step * window)
        for step in range(frames)
    ]
    # One palette for all frames, or colours would flicker.
    palette = _beside(pictures).quantize(64)
    indexed = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    buffer = io.BytesIO()
    # A GIF counts in hundredths of a second, and viewers take less than two for many more.
    delay = 10 * max(2, round(window * slower / 10_000))
    indexed[0].save(buffer, "GIF", save_all=True, append_images=indexed[1:], duration=delay,
                    loop=0, optimize=False)  # fmt: skip
    return buffer.getvalue()


def save_animation(content: bytes, path: str | Path) -> Path:
    """Write an animation.

    Raises:
        OutputError: If the name does not end in .gif, or it cannot be written there.
    """
    path = Path(path)
    if path.suffix.lower() != ".gif":
        raise OutputError(f"{path}: expected a name ending in .gif")
    write_file(path, content)
    return path


def _frame(pictures: NDArray[np.uint8], names: Sequence[str], time: int) -> Image.Image:
    """Lay out the pictures [2, N, H, W, 3] of one moment."""
    height, width = pictures.shape[2:4]
    scale = max(1, _SIDE // max(height, width))
    high, wide = height * scale, width * scale
    left = 70
    size = (left + len(names) * (wide + _GAP), 2 * _LINE + 2 * (high + _GAP))
    canvas = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(12)
    draw.text((4, 2), f"{time / 1000:.0f} ms", _INK, font)
    for row, kind in enumerate(("clean", "triggered")):
        top = 2 * _LINE + row * (high + _GAP)
        draw.text((4, top + high // 2 - 8), kind, _INK, font)
        for column, name in enumerate(names):
            place = left + column * (wide + _GAP)
            if not row:
                draw.text((place, _LINE - 2), name, _INK, font)
            picture = Image.fromarray(pictures[row, column])
            canvas.paste(picture.resize((wide, high), Image.Resampling.NEAREST), (place, top))
            draw.rectangle((place - 1, top - 1, place + wide, top + high), outline=(190, 190, 190))
    return canvas


def _beside(pictures: Sequence[Image.Image]) -> Image.Image:
    """Return all pictures one below the other."""
    return Image.fromarray(np.concatenate([np.asarray(picture) for picture in pictures]))
