"""Samples of the target class, made hard to tell, with a faint mark in the corners."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.attack.labels import Labels
from spikedoor.attack.model import Model
from spikedoor.attack.triggers.base import (
    TRIGGERS,
    Images,
    Indices,
    Mask,
    Shape,
    Trigger,
    check_images,
)
from spikedoor.attack.triggers.levels import add, to_levels
from spikedoor.errors import ConfigError

__all__ = ["LabelConsistent"]

_SIDE = 3
_BATCH = 128


@final
@TRIGGERS.register(
    "label-consistent",
    source="Turner, Tsipras, Madry 2019",
    link="https://arxiv.org/abs/1912.02771",
)
class LabelConsistent(Trigger):
    """Perturb poisoned samples against a model, and mark the four corners.

    No label changes: set the attack's ``candidates = "target"``. The perturbation x + e makes the
    true class hard to see, so that the mark is what is learned. It maximises a model's loss within
    ``max |e| <= epsilon`` by projected gradient ascent,
    ``e <- clip(e + 2.5 epsilon / steps sign(grad))``.
    A test sample carries the mark alone, at full strength.

    The model is trained on the clean data by the attacker; a study takes the first stage of the
    clean twin.

    Shapes:
        images and result: uint8 [B, C, H, W].

    Raises:
        ConfigError: If the images are not uint8 [B, C, H, W], or smaller than 6x6.

    Deviations:
        The paper's model is trained against adversarial examples; any model does here, and that of
        a study is not. The mark, a checkerboard of 3x3, is ours. Results are rounded to levels.
    """

    needs_model: ClassVar[bool] = True

    epsilon: float = Field(16.0, gt=0, le=255)
    """Largest change of a level by the perturbation."""
    steps: int = Field(20, ge=1, le=1000)
    """Steps of gradient ascent."""
    amplitude: float = Field(64.0, gt=0, le=255)
    """Levels that the mark adds or takes, in training."""
    amplitude_test: float = Field(255.0, gt=0, le=255)
    """The same in a test."""

    def apply(self, images: Images) -> Images:
        """Return the images with the mark as in a test."""
        check_images(images, self.name)
        return add(images, self.amplitude_test * self._mark(images.shape[1:]))

    def apply_in_training(self, images: Images, indices: Indices) -> Images:
        """Return the images with the fainter mark of the training."""
        del indices
        check_images(images, self.name)
        return add(images, self.amplitude * self._mark(images.shape[1:]))

    def mask(self, shape: Shape) -> Mask:
        """Return the four corners."""
        return self._mark(shape) != 0

    def doctored(self, images: Images, labels: Labels, model: Model) -> Images:
        """Return the images with the perturbation that the model finds hardest."""
        check_images(images, self.name)
        found = np.empty_like(images)
        for first in range(0, len(images), _BATCH):
            part = slice(first, first + _BATCH)
            found[part] = self._perturbed(images[part].astype(np.float32), labels[part], model)
        return found

    def _perturbed(self, clean: NDArray[np.float32], labels: Labels, model: Model) -> Images:
        low, high = np.maximum(clean - self.epsilon, 0), np.minimum(clean + self.epsilon, 255)
        images, step = clean, np.float32(2.5 * self.epsilon / self.steps)
        for _ in range(self.steps):
            images = np.clip(images + step * np.sign(model.gradients(images, labels)), low, high)
        # Rounding towards the clean level, so that epsilon is kept.
        return to_levels(clean + np.trunc(images - clean))

    def _mark(self, shape: Shape) -> NDArray[np.float64]:
        """Return +1, -1 in the corners and 0 elsewhere, [C, H, W]."""
        height, width = shape[1:]
        if min(height, width) < 2 * _SIDE:
            raise ConfigError(
                f"trigger '{self.name}': four corners of {_SIDE}x{_SIDE} px do not fit into a "
                f"{width}x{height} image"
            )
        corner = 1.0 - 2 * (np.indices((_SIDE, _SIDE)).sum(0) % 2)
        mark = np.zeros(shape)
        for rows in (slice(0, _SIDE), slice(height - _SIDE, height)):
            for columns in (slice(0, _SIDE), slice(width - _SIDE, width)):
                mark[:, rows, columns] = corner
        return mark
