"""A stage as its attacker sees it: gradients with respect to the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from spikedoor.rng import torch_generator
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
        stage = self.stage
        stage.network.eval()
        levels = torch.from_numpy(images).to(stage.device).requires_grad_()
        shown = (levels / 255).to(memory_format=torch.channels_last)
        generator = torch_generator(self.seed, f"gradients of {stage.name}", stage.device)
        scores = stage.scores(shown, generator)[-1]
        loss = F.cross_entropy(scores, torch.from_numpy(labels).to(stage.device), reduction="sum")
        (found,) = torch.autograd.grad(loss, levels)
        return found.cpu().numpy()
