"""From an image to an input current at each step."""

from __future__ import annotations

from abc import abstractmethod
from typing import final

import torch
from torch import Tensor

from spikedoor.component import Component
from spikedoor.registry import Family
from spikedoor.snn.signal import Signal

__all__ = ["ENCODINGS", "Direct", "Encoding", "Poisson"]

ENCODINGS = Family("encoding", home="spikedoor.snn.encoding")


class Encoding(Component):
    """How a victim turns images into a signal over time."""

    family = ENCODINGS

    @abstractmethod
    def encode(self, images: Tensor, steps: int, generator: torch.Generator) -> Signal:
        """Encode a batch.

        Shapes:
            images: (batch, C, H, W), float in [0, 1].
        """


@final
@ENCODINGS.register("direct", "Rueckauer et al. 2017", "https://doi.org/10.3389/fnins.2017.00682")
class Direct(Encoding):
    """Feed the pixel values as a constant current at every step."""

    def encode(self, images: Tensor, steps: int, generator: torch.Generator) -> Signal:
        return Signal(images, steps, len(images))


@final
@ENCODINGS.register("poisson", "Heeger 2000", "https://www.cns.nyu.edu/~david/handouts/poisson.pdf")
class Poisson(Encoding):
    """Draw a spike per pixel and step, with the pixel value as its probability (Bernoulli)."""

    def encode(self, images: Tensor, steps: int, generator: torch.Generator) -> Signal:
        uniform = torch.rand((steps, *images.shape), generator=generator, device=images.device)
        spikes = (uniform < images).to(images.dtype).flatten(0, 1)
        return Signal(spikes, steps, len(images))
