"""From a victim's stage to a NIR file."""

from __future__ import annotations

import copy
import io
import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import nn

from spikedoor.errors import ConfigError, DataError
from spikedoor.files import write_file
from spikedoor.snn.activations import Spiking
from spikedoor.snn.blocks import Bare, Flatten, Pooling, Synapse, Unit
from spikedoor.snn.kernels import Pool
from spikedoor.snn.networks import layers as kinds
from spikedoor.snn.networks.base import Shape
from spikedoor.snn.readout import MeanCurrent, MeanRate
from spikedoor.victim.nir.reading import DT
from spikedoor.victim.stage import Stage

if TYPE_CHECKING:
    import nir

__all__ = ["write"]


def write(stage: Stage, path: str | Path, dt: float = DT) -> Path:
    """Write a stage as a NIR file; `read` makes the same network of it, spike by spike.

    NIR has no word for the encoding, the number of steps, the class names and the kind of reset;
    whoever reads the file must be told. Norms, and the height of spikes where it is not 1, are
    merged into the weights. A readout of rates becomes neurons behind the last layer, one of mean
    currents nothing.

    Args:
        stage: A spiking stage whose network is a plain chain of layers.
        path: File to write.
        dt: Seconds in a step.

    Raises:
        ConfigError: Naming what NIR, or this chain, cannot express.
        DataError: If nir is not installed.
        OutputError: If the file cannot be written.
    """
    try:
        import nir
    except ImportError:
        raise DataError(f"{path}: NIR is written by nir: pip install spikedoor[nir]") from None
    chain = _Chain(nir, stage.blueprint.shape, dt)
    if stage.blueprint.neuron is None:
        raise ConfigError(f"stage '{stage.name}' is an ANN: expected one with spiking neurons")
    for block in stage.network.blocks:
        chain.add(block)
    chain.weights(stage.network.head.layer)
    if isinstance(stage.readout, MeanRate):
        chain.neurons(stage.readout.neuron.build())
    elif not isinstance(stage.readout, MeanCurrent):
        raise ConfigError(
            f"readout '{stage.readout.name}' cannot be written as NIR: expected 'mean-current' or "
            "'mean-rate'"
        )
    buffer: Any = io.BytesIO()
    nir.write(buffer, chain.graph(len(stage.blueprint.classes)))
    write_file(Path(path), buffer.getvalue())
    return Path(path)


_LATE = (
    "a soft reset that comes a step late, which is snnTorch's default; train with "
    "reset_mechanism='zero', for which it has one, or keep the network by Victim.save"
)


class _Chain:
    """Nodes in a row, each behind the last one."""

    def __init__(self, nir: Any, shape: Shape, dt: float) -> None:
        self._nir, self._dt = nir, dt
        self._frame: tuple[int, ...] = shape
        self._order: tuple[int, int, int] | None = None  # maps that were flattened
        self._height = 1.0  # of the spikes that the next weights are given
        self._nodes: dict[str, Any] = {"input": nir.Input({"input": np.array(shape)})}

    def graph(self, classes: int) -> nir.NIRGraph:
        """Return all nodes, with an output behind them."""
        self._nodes["output"] = self._nir.Output({"output": np.array([classes])})
        names = list(self._nodes)
        return self._nir.NIRGraph(self._nodes, list(pairwise(names)), type_check=False)

    def add(self, block: nn.Module) -> None:
        """Append the nodes of a block.

        Raises:
            ConfigError: If it has no node.
        """
        match block:
            case Unit():
                self._synapse(block.synapse)
                if block.before is not None:
                    self._pool(block.before)
                self.neurons(block.activation)
                if block.pool is not None:
                    self._pool(Pooling(cast(Pool, block.pool), (2, 2), (2, 2)))
            case Bare():
                self._synapse(block.synapse)
            case Pooling():
                self._pool(block)
            case Spiking():
                self.neurons(block)
            case Flatten():
                self._flatten(block)
            case _:
                raise ConfigError(
                    f"block {len(self._nodes)} ({type(block).__name__}) cannot be written as NIR: "
                    "expected a plain chain of weights, neurons and pools"
                )

    @torch.no_grad()
    def neurons(self, layer: nn.Module) -> None:
        """Append neurons.

        Raises:
            ConfigError: If NIR cannot express them.
        """
        if not isinstance(layer, Spiking):
            raise ConfigError(f"{type(layer).__name__} cannot be written as NIR: expected neurons")
        d = layer.dynamics()
        start = torch.as_tensor(d.initial)
        for what, odd in (
            ("signed spikes", d.signed),
            ("bounds on the current", layer.bounds is not None),
            (_LATE, d.soft and d.subtract != 1),
            ("an initial membrane that is not the resting one", bool((start != d.v_reset).any())),
        ):
            if odd:
                raise ConfigError(f"neurons cannot be written as NIR: it has no word for {what}")
        keep, gain = float(d.keep), float(d.gain)
        size, self._height = self._frame, d.amplitude
        values = {
            "v_threshold": np.full(size, d.threshold),
            "v_reset": np.full(size, d.v_reset),
        }
        if keep == 1:
            # `read` takes r = 1 for h = v + x, as the libraries that write NIR do.
            values["r"] = np.full(size, 1.0 if gain == 1 else gain / self._dt)
            self._append("neurons", self._nir.IF(**values))
        else:
            tau = 1 / (1 - keep)
            values |= {
                "tau": np.full(size, tau * self._dt),
                "r": np.full(size, gain * tau),
                "v_leak": np.full(size, d.v_reset),
            }
            self._append("neurons", self._nir.LIF(**values))

    def _synapse(self, synapse: Synapse) -> None:
        folded = copy.deepcopy(synapse)
        folded.fold()
        self.weights(folded.layer)

    @torch.no_grad()
    def weights(self, layer: nn.Conv2d | nn.Linear) -> None:
        """Append a convolution or linear layer."""
        weight = layer.weight.cpu() * self._height
        self._height = 1.0
        bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias.cpu()
        if isinstance(layer, nn.Linear):
            if self._order is not None:  # ours come as row, column, channel
                channels, height, width = self._order
                ours = weight.unflatten(1, (height, width, channels))
                weight = ours.permute(0, 3, 1, 2).flatten(1)
            node = self._nir.Affine(weight=weight.contiguous().numpy(), bias=bias.numpy())
            self._append("linear", node)
            self._frame, self._order = (len(weight),), None
            return
        names = ("stride", "padding", "dilation", "groups")
        settings = {name: getattr(layer, name) for name in names}
        node = self._nir.Conv2d(
            input_shape=self._frame[1:],
            weight=weight.contiguous().numpy(),
            bias=bias.numpy(),
            **settings,
        )
        self._append("conv", node)
        kind = kinds.Convolution(outputs=len(weight), kernel=layer.kernel_size, **settings)
        self._frame = kind.shape(self._frame)

    def _pool(self, pool: Pooling) -> None:
        if pool.kind == "max":
            raise ConfigError("a pool of kind 'max' cannot be written as NIR: it has avg and sum")
        kind = self._nir.AvgPool2d if pool.kind == "avg" else self._nir.SumPool2d
        sides = {"kernel_size": pool.size, "stride": pool.stride, "padding": pool.padding}
        self._append("pool", kind(**{name: np.array(side) for name, side in sides.items()}))
        layer = kinds.Pool(kind=pool.kind, size=pool.size, stride=pool.stride, padding=pool.padding)
        self._frame = layer.shape(self._frame)

    def _flatten(self, block: Flatten) -> None:
        side, sides = block.side, self._frame[1:]
        if side is not None and sides != (side, side):
            if any(one % side for one in sides):
                raise ConfigError(
                    f"averaging {sides[0]}x{sides[1]} to {side}x{side} cannot be written as NIR"
                )
            size = (sides[0] // side, sides[1] // side)
            self._pool(Pooling("avg", size, size))
        shape = {"input": np.array(self._frame)}
        self._append("flatten", self._nir.Flatten(shape, start_dim=0, end_dim=-1))
        channels, height, width = self._frame
        self._order = (channels, height, width)
        self._frame = (math.prod(self._frame),)

    def _append(self, kind: str, node: Any) -> None:
        self._nodes[f"{len(self._nodes):03}-{kind}"] = node
