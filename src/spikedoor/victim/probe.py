"""What happens inside a stage: spikes, membrane and input current of its layers, step by step.

The layers are watched from outside, so the stage computes what it always does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spikedoor.data.base import SampleSet
from spikedoor.errors import ConfigError, hint
from spikedoor.snn.activations import Activation, Rectifier, Spiking
from spikedoor.snn.dynamics import Dynamics
from spikedoor.snn.kernels import sparse, trace
from spikedoor.snn.norm import BatchNorm
from spikedoor.snn.readout import MeanRate
from spikedoor.snn.signal import Signal
from spikedoor.victim.stage import Stage
from spikedoor.victim.wrapped.tap import Shown, Tap

__all__ = ["HEAD", "Piece", "Probe", "Quantity", "Traces", "output_neuron"]

HEAD = "head"
"""What the last linear layer is called."""

Quantity = Literal["spikes", "membrane", "current"]


@dataclass(frozen=True, eq=False)
class Traces:
    """One layer over some steps; what was not asked for is None.

    With the layer's `Dynamics`, current and membrane are in the same unit, that of its threshold
    (a threshold that is learned acts as a gain on the current, see `Spiking`).

    Shapes:
        Each: float [t, B, ...], the layer's neurons as (C, H, W) or (F,), before any pooling.

    Args:
        spikes: 1 for a spike, -1 for one taken back, whatever the height sent on. Of an ANN, its
            activations, which stand for rates.
        membrane: ``h[t]``, charged and not yet reset. Of an ANN, its pre-activation.
        current: ``x[t]``, the input behind the norm, before the neuron's gain.
    """

    spikes: Tensor | None = None
    membrane: Tensor | None = None
    current: Tensor | None = None


class Piece(NamedTuple):
    """Some samples over some steps."""

    samples: slice
    """Which of the samples asked for."""
    first: int
    """The first of the steps, from 0."""
    traces: Mapping[str, Traces]
    """By layer."""


@torch.no_grad()
def output_neuron(stage: Stage) -> Dynamics | None:
    """Return the neurons that a probe puts behind the head; None for an ANN.

    Where the readout counts spikes they are its own. Else they are of the stage's model with its
    settings from before any learning or conversion, and no part of its answer.
    """
    readout, neuron = stage.readout, stage.blueprint.neuron
    if neuron is None:
        return None
    return (readout.neuron if isinstance(readout, MeanRate) else neuron).build().dynamics()


class Probe:
    """Look into a stage of any rule while it is simulated.

    ``layers`` are the paths of its activations in the order of the signal, and "head" for the last
    linear layer: its current is what the readout gets at each step, its membrane and spikes are
    those of `output_neuron`. Its current summed over the steps is the cumulative voltage of an
    output that never fires.

    An ANN has one step; for its layers see `Traces`, and its head shows its current for all three.

    Args:
        stage: The stage.
        layers: Which layers; all by default.
        quantities: What to look at; less takes less memory and time.

    Raises:
        ConfigError: If there is no such layer or quantity.
    """

    def __init__(
        self,
        stage: Stage,
        layers: Sequence[str] | None = None,
        quantities: Sequence[Quantity] = get_args(Quantity),
    ) -> None:
        modules = dict(stage.network.named_modules())
        known = [name for name, module in modules.items() if isinstance(module, Activation)]
        known.append(HEAD)
        wanted = known if layers is None else list(layers)
        for what, names, choices in (
            ("layer", wanted, known),
            ("quantity", quantities, get_args(Quantity)),
        ):
            for name in names:
                if name not in choices:
                    found = f"stage '{stage.name}' has no {what} '{name}'"
                    raise ConfigError(f"{found}{hint(name, choices)}")
        self.stage = stage
        self.layers = tuple(name for name in known if name in wanted)
        self.quantities = tuple(quantities)
        self._watched = {name: modules[name] for name in self.layers}
        self._output = output_neuron(stage)

    @torch.no_grad()
    def stream(
        self,
        data: SampleSet,
        indices: NDArray[np.integer] | None = None,
        seed: int = 0,
        together: int | None = None,
    ) -> Iterator[Piece]:
        """Simulate, and yield what is seen, some samples and steps at a time.

        What is held does not grow with the number of samples, nor of steps. A random encoding draws
        as in `Stage.predict` with the same arguments.

        Args:
            data: Samples to show.
            indices: Which of them; all by default.
            seed: Of a random encoding.
            together: Samples simulated at once; by default, as many as `predict` takes. All layers
                of a large network are then gigabytes: look at some, or at fewer samples at once.
        """
        stage = self.stage
        stage.network.eval()
        packs: dict[nn.Conv2d, sparse.Packed] = {}
        for samples, inputs, generator in stage.batches(data, seed, indices, together):
            pieces, first = stage.pieces(inputs, generator), 0
            watch = _Watch(self._watched, self._output, self.quantities)
            while True:
                # Only while the network runs: nobody else's simulation is to be seen.
                with watch.hooked() as seen, sparse.packing_once(packs):
                    done = next(pieces, None)
                if done is None:
                    break
                steps = min(len(done), stage.steps - first)
                yield Piece(samples, first, {n: _until(steps, seen[n]) for n in self.layers})
                first += steps


class _Watch:
    """Watches layers while one batch is simulated, and keeps what their neurons go on from."""

    def __init__(
        self, layers: Mapping[str, nn.Module], output: Dynamics | None, quantities: tuple[str, ...]
    ) -> None:
        self._layers, self._output, self._quantities = layers, output, quantities
        self._states: dict[str, Tensor] = {}

    @contextmanager
    def hooked(self) -> Iterator[dict[str, Traces]]:
        """Yield where the layers leave the traces of a piece."""
        self._seen: dict[str, Traces] = {}
        with ExitStack() as hooks:
            for name, layer in self._layers.items():
                handle = (
                    layer.register_forward_hook(self._head)
                    if name == HEAD
                    else layer.register_forward_pre_hook(partial(self._activation, name))
                )
                hooks.enter_context(handle)
            yield self._seen

    def _activation(self, name: str, layer: nn.Module, arguments: tuple[Any, ...]) -> None:
        signal, norm, *_ = (*arguments, None)
        if isinstance(layer, Tap):
            self._leave(name, *self._shown(layer, signal))
        elif isinstance(layer, Rectifier):
            x = signal.data if norm is None else norm(signal.data)
            self._leave(name, *(a.unsqueeze(0) for a in (x, x, layer.rectify(x))))
        elif isinstance(layer, Spiking):
            signal, norm = layer.bounded(signal, norm)
            self._neurons(name, signal, layer.dynamics(), norm)

    def _shown(self, tap: Tap, shown: Shown) -> tuple[Tensor, Tensor, Tensor]:
        asked = "membrane" in self._quantities
        membrane = tap.membrane_of(shown) if asked else shown.current
        return shown.current, membrane, shown.spikes

    def _head(self, layer: nn.Module, arguments: tuple[Any, ...], out: Signal) -> None:
        if self._output is None:
            self._leave(HEAD, *[out.over_time()] * 3)
        else:
            self._neurons(HEAD, out, self._output)

    def _neurons(
        self, name: str, signal: Signal, dynamics: Dynamics, norm: BatchNorm | None = None
    ) -> None:
        # The signal's memory has states too, but there neurons that a pool cuts off stand still.
        x, steps, batch = signal.data, signal.steps, signal.batch
        found = trace(x, steps, batch, dynamics, self._states.get(name), norm)
        self._states[name] = found.state
        self._leave(name, found.current, found.membrane, found.spikes)

    def _leave(self, name: str, current: Tensor, membrane: Tensor, spikes: Tensor) -> None:
        found = {"current": current, "membrane": membrane, "spikes": spikes}
        self._seen[name] = Traces(**{quantity: found[quantity] for quantity in self._quantities})


def _until(steps: int, traces: Traces) -> Traces:
    """Return the first steps."""
    return Traces(**{name: x[:steps] for name, x in vars(traces).items() if x is not None})
