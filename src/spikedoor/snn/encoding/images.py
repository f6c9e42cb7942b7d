"""From an image to an input current at each step."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from spikedoor.snn.encoding.base import ENCODINGS, Encoding
from spikedoor.snn.signal import Signal

__all__ = ["Direct", "Poisson"]


@final
@ENCODINGS.register("direct", "Rueckauer et al. 2017", "https://doi.org/10.3389/fnins.2017.00682")
class Direct(Encoding):
    """Feed the pixel values as a constant current at every step."""

    def encode(self, inputs: Tensor, steps: int, generator: torch.Generator) -> Signal:
        return Signal(inputs, steps, len(inputs))


@final
@ENCODINGS.register("poisson", "Heeger 2000", "https://www.cns.nyu.edu/~david/handouts/poisson.pdf")
class Poisson(Encoding):
    """Draw a spike per pixel and step, with the pixel value as its probability (Bernoulli)."""

    def encode(self, inputs: Tensor, steps: int, generator: torch.Generator) -> Signal:
        uniform = torch.rand((steps, *inputs.shape), generator=generator, device=inputs.device)
        spikes = (uniform < inputs).to(inputs.dtype).flatten(0, 1)
        return Signal(spikes, steps, len(inputs))
