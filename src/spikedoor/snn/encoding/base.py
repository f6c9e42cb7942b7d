"""What an encoding is: how samples become a signal over time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikedoor.component import Component
from spikedoor.data.base import Modality, modality_of
from spikedoor.errors import ConfigError
from spikedoor.registry import Family
from spikedoor.snn.signal import Signal

if TYPE_CHECKING:
    from spikedoor.data.base import SampleSet
    from spikedoor.data.source import DataSource

__all__ = ["ENCODINGS", "Encoding", "to_floats"]

ENCODINGS = Family("encoding", home="spikedoor.snn.encoding")


def to_floats(images: NDArray[np.uint8]) -> Tensor:
    """Return uint8 images as floats in [0, 1], channels last in memory."""
    batch = torch.from_numpy(images).to(memory_format=torch.channels_last)
    return batch.float().div_(255)


class Encoding(Component):
    """How a victim turns samples into a signal over time.

    In two steps: `tensor` turns a batch of a set into floats, which is all that knows what a sample
    is, and `encode` turns these into a signal. What is here is right for images.
    """

    family = ENCODINGS

    modalities: ClassVar[tuple[Modality, ...]] = ("image",)
    """Samples it can take."""

    @property
    def nested(self) -> bool:
        """Whether a signal of t steps is the beginning of every longer one."""
        return True

    def check(self, samples: SampleSet | DataSource, steps: int) -> None:
        """Refuse samples that it cannot encode in so many steps.

        Raises:
            ConfigError: Naming both, and the encodings that fit.
        """
        found = modality_of(samples)
        if found not in self.modalities:
            members = (ENCODINGS[name] for name in ENCODINGS.names())
            fitting = [m.name for m in members if found in cast("type[Encoding]", m).modalities]
            raise ConfigError(
                f"encoding '{self.name}' takes {' or '.join(f'{m}s' for m in self.modalities)}, "
                f"but '{samples.name}' holds {found}s; set rule.encoding to one for these: "
                f"{', '.join(fitting)}"
            )

    def shape(self, samples: SampleSet) -> tuple[int, int, int]:
        """Return the shape of the input at each step: channels, height, width."""
        return samples.shape

    def for_ann(self, steps: int) -> Encoding:
        """Return what shows an ANN, in its one step, the mean of the input over ``steps``."""
        del steps
        return cast("Encoding", ENCODINGS["direct"]())

    def tensor(self, batch: Any, steps: int) -> Tensor:
        """Return a batch, as a set of samples gives it, as the floats that `encode` takes."""
        del steps
        return to_floats(batch)

    @abstractmethod
    def encode(self, inputs: Tensor, steps: int, generator: torch.Generator) -> Signal:
        """Encode a batch.

        Shapes:
            inputs: What `tensor` returns; of images, (batch, C, H, W), float in [0, 1].
        """

    def pieces(
        self, inputs: Tensor, steps: int, size: int, generator: torch.Generator
    ) -> Iterator[Signal]:
        """Yield the signal a few steps at a time; the last piece may go on beyond the end.

        All pieces are of one size, so that the first ones are the same, bit for bit, whatever the
        number of steps, where the encoding is `nested`.
        """
        for _ in range(0, steps, size):
            yield self.encode(inputs, size, generator)
