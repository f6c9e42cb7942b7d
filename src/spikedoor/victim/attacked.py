"""A stage as its attacker sees it: gradients with respect to images, or to single events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from spikedoor.data.events import Events
from spikedoor.errors import ConfigError
from spikedoor.rng import torch_generator
from spikedoor.snn.encoding import Frames
from spikedoor.victim.stage import Stage

__all__ = ["Attacked"]


@dataclass(frozen=True)
class Attacked:
    """Gradients of a stage's loss; of a spiking stage, those of its surrogate.

    Args:
        stage: The stage.
        seed: Of a random encoding.
    """

    stage: Stage
    seed: int = 0

    def gradients(
        self, images: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the gradient of each image's cross-entropy with respect to its levels.

        Shapes:
            images and result: float32 [B, C, H, W], levels 0 to 255. labels: int64 [B].
        """
        levels = torch.from_numpy(images).to(self.stage.device).requires_grad_()
        shown = (levels / 255).to(memory_format=torch.channels_last)
        (found,) = torch.autograd.grad(self._loss(shown, labels), levels)
        return found.cpu().numpy()

    def event_gradients(
        self, events: Events, labels: NDArray[np.int64], bins: int
    ) -> NDArray[np.float32]:
        """Return how each recording's cross-entropy would move by one more event.

        Args:
            events: Recordings.
            labels: int64 [B].
            bins: Equal parts of each recording's time.

        Returns:
            float32 [B, bins, 2, H, W]; see `Frames.event_gradients`.

        Raises:
            ConfigError: If the stage takes no recordings.
        """
        stage = self.stage
        if not isinstance(stage.encoding, Frames):
            raise ConfigError(
                f"stage '{stage.name}' has no gradients by events: expected the encoding 'frames', "
                f"got '{stage.encoding.name}'"
            )
        inputs = stage.prepare(events).to(stage.device).requires_grad_()
        (found,) = torch.autograd.grad(self._loss(inputs, labels), inputs)
        return stage.encoding.event_gradients(found, events, stage.steps, bins)

    def _loss(self, inputs: Tensor, labels: NDArray[np.int64]) -> Tensor:
        """Return the sum of the cross-entropies of a prepared batch."""
        stage = self.stage
        stage.network.eval()
        generator = torch_generator(self.seed, f"gradients of {stage.name}", stage.device)
        scores = stage.scores(inputs, generator)[-1]
        return F.cross_entropy(scores, torch.from_numpy(labels).to(stage.device), reduction="sum")
