"""The layers that a network can be given as a list of, each with the shape that it makes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal, Self, final

from pydantic import BeforeValidator, Field, model_validator

from spikedoor.component import Component
from spikedoor.errors import ConfigError
from spikedoor.registry import Family
from spikedoor.snn.neurons import Neuron

__all__ = [
    "LAYERS", "Convolution", "Flattening", "Layer", "Linear", "Norm", "Normalisation", "Pool",
    "Spikes",
]  # fmt: skip

LAYERS = Family("layer", home="spikedoor.snn.networks.layers")

Frame = tuple[int, ...]
"""Channels, height and width of maps; or the number of features, alone."""


def _twice(value: Any) -> Any:
    return (value, value) if isinstance(value, int) else value


_Sides = Annotated[
    tuple[Annotated[int, Field(ge=1, le=128)], Annotated[int, Field(ge=1, le=128)]],
    BeforeValidator(_twice),
]
_Margins = Annotated[
    tuple[Annotated[int, Field(ge=0, le=64)], Annotated[int, Field(ge=0, le=64)]],
    BeforeValidator(_twice),
]
_Width = Annotated[int, Field(ge=1, le=1 << 20)]


class Layer(Component):
    """One layer of `Layered`."""

    family: ClassVar[Family] = LAYERS

    @abstractmethod
    def shape(self, frame: Frame) -> Frame:
        """Return the shape of its output.

        Raises:
            ConfigError: If it cannot take such an input.
        """

    def _maps(self, frame: Frame) -> tuple[int, int, int]:
        if len(frame) != 3:
            raise ConfigError(f"layer '{self.name}': expected maps, got {frame[0]} features")
        return frame[0], frame[1], frame[2]


def _slid(
    frame: tuple[int, int, int],
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    name: str,
) -> tuple[int, int]:
    """Return the sides of what a window makes that slides over maps."""
    ends = zip(frame[1:], size, stride, padding, strict=True)
    height, width = ((side + 2 * p - k) // s + 1 for side, k, s, p in ends)
    if min(height, width) < 1:
        raise ConfigError(
            f"layer '{name}': a window of {size[0]}x{size[1]} does not fit maps of "
            f"{frame[1]}x{frame[2]} with padding {padding[0]}x{padding[1]}"
        )
    return height, width


@final
@LAYERS.register("conv")
class Convolution(Layer):
    """Convolution, padded by zeros."""

    outputs: _Width = 16
    """Output channels."""
    kernel: _Sides = (3, 3)
    """Height and width."""
    stride: _Sides = (1, 1)
    """Step of the window."""
    padding: _Margins = (1, 1)
    """Zeros on each side."""
    dilation: _Sides = (1, 1)
    """Distance of the weights."""
    groups: int = Field(1, ge=1, le=1 << 20)
    """Groups of channels that do not see each other."""
    bias: bool = False
    """Whether it has a bias."""

    def shape(self, frame: Frame) -> Frame:
        frame = self._maps(frame)
        if frame[0] % self.groups or self.outputs % self.groups:
            raise ConfigError(
                f"layer 'conv': {self.groups} groups do not divide {frame[0]} input and "
                f"{self.outputs} output channels"
            )
        height, width = (d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))
        sides = _slid(frame, (height, width), self.stride, self.padding, self.name)
        return self.outputs, *sides


@final
@LAYERS.register("linear")
class Linear(Layer):
    """Fully connected; maps are flattened first."""

    outputs: _Width = 64
    """Output features."""
    bias: bool = False
    """Whether it has a bias."""

    def shape(self, frame: Frame) -> Frame:
        return (self.outputs,)


@final
@LAYERS.register("norm")
class Norm(Layer):
    """Batch norm of a convolution or linear layer, right behind it."""

    eps: float = Field(1e-5, ge=0)
    """Added to the variance."""

    def shape(self, frame: Frame) -> Frame:
        return frame


@final
@LAYERS.register("pool")
class Pool(Layer):
    """Pooling; a row or column that fills no window is cut off."""

    kind: Literal["avg", "max", "sum"] = "avg"
    """What is kept of a window."""
    size: _Sides = (2, 2)
    """Height and width of the window."""
    stride: _Sides = (2, 2)
    """Step of the window."""
    padding: _Margins = (0, 0)
    """Zeros on each side, which count in an average; of a maximum, nothing."""

    @model_validator(mode="after")
    def _pads_half_at_most(self) -> Self:
        if any(2 * p > k for p, k in zip(self.padding, self.size, strict=True)):
            raise ValueError(f"expected padding of half the size at most, got {self.padding}")
        return self

    def shape(self, frame: Frame) -> Frame:
        frame = self._maps(frame)
        return frame[0], *_slid(frame, self.size, self.stride, self.padding, self.name)


@final
@LAYERS.register("spikes")
class Spikes(Layer):
    """Neurons, or the activation of the ANN."""

    neuron: Neuron | None = None
    """Neuron model; none means that of the network. A network with any other has no ANN."""

    def shape(self, frame: Frame) -> Frame:
        return frame


@final
@LAYERS.register("flatten")
class Flattening(Layer):
    """Maps to features, in the order row, column, channel."""

    def shape(self, frame: Frame) -> Frame:
        channels, height, width = self._maps(frame)
        return (channels * height * width,)


@final
@LAYERS.register("normalise")
class Normalisation(Layer):
    """Normalisation of the input by fixed numbers: ``(x - mean) / std`` for each channel."""

    mean: tuple[float, ...] = Field((0.5,), max_length=64)
    """Mean of each channel, or one for all."""
    std: tuple[Annotated[float, Field(gt=0)], ...] = Field((0.5,), max_length=64)
    """Standard deviation of each channel, or one for all."""

    def shape(self, frame: Frame) -> Frame:
        channels = self._maps(frame)[0]
        if any(len(values) not in (1, channels) for values in (self.mean, self.std)):
            raise ConfigError(
                f"layer 'normalise': expected 1 or {channels} numbers, got {len(self.mean)} and "
                f"{len(self.std)}"
            )
        return frame
