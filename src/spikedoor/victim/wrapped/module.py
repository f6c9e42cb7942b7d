"""From any torch module to a victim: run it, see its layers, and leave it as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from torch import nn

from spikedoor.errors import ConfigError
from spikedoor.snn.blocks import Normalise
from spikedoor.snn.encoding import Direct, Encoding
from spikedoor.snn.networks.base import Shape
from spikedoor.snn.neurons import IF
from spikedoor.snn.readout import MeanCurrent, Readout
from spikedoor.victim.assembly import check_steps, class_names
from spikedoor.victim.blueprint import Blueprint
from spikedoor.victim.foreign.copies import fresh_copy
from spikedoor.victim.stage import Stage
from spikedoor.victim.victim import Victim
from spikedoor.victim.wrapped.calling import Own
from spikedoor.victim.wrapped.layers import find, head_of
from spikedoor.victim.wrapped.network import Wrapped, WrappedModule, network_of
from spikedoor.victim.wrapped.tracing import check_again, gradients, trace

__all__ = ["unwrap", "wrap_module"]


def wrap_module(
    module: nn.Module,
    shape: Shape,
    classes: int | Sequence[str],
    steps: int | None = None,
    *,
    encoding: Encoding | None = None,
    readout: Readout | None = None,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    spiking: Sequence[str] | None = None,
    run: Own | None = None,
    reset: Callable[[nn.Module], object] | None = None,
) -> Victim:
    """Make a victim of any module that gives class scores; a copy of it stays as it is.

    The copy is run on random input, to see how it wants to be called (a step at a time, all steps
    in one call, or an image that it shows itself step by step), what it carries from step to step,
    and which of its layers are neurons. In every run it begins at its start. What it returns at
    each step is what a victim's last layer gives; of several tensors, the first of the shape of
    scores. Scores that it returns for all steps together stand at each step.

    `from_module` translates plain chains of known layers, with which every defence works. Here
    nothing is translated: what needs weights in front of neurons, or their threshold and leak, is
    refused (docs/tutorials/own-model.md has a table). Gradients are those of the module.

    Args:
        module: The module. It is copied, and stays as it is.
        shape: Channels, height and width of a sample, or of a frame of events.
        classes: Names of the classes, or how many there are.
        steps: Time steps; not needed by a module that goes through them itself, nor by an ANN.
        encoding: From sample to current; by default the pixels, in [0, 1], at every step.
        readout: From what it returns to scores; by default the mean over time.
        mean: What was subtracted from each channel in training, if anything, of pixels in [0, 1].
        std: What each channel was divided by.
        spiking: Paths of the spiking layers, where they are not found or others are wanted.
        run: Runs the module, given it and frames [T, B, C, H, W], where it cannot be found how;
            returns scores of each step, [T, B, K], or of all together, [B, K].
        reset: Takes the module, which it is given, back to its start, where that is not found.

    Raises:
        ConfigError: If the module takes no input of that shape or gives no scores, the number of
            steps is not known, its weights are not in float32, or it is not the same again after a
            run; says what to give.
    """
    check_steps(steps)
    names = class_names(classes)
    made = fresh_copy(module).eval()
    if reset is not None:
        reset(made)
    found = trace(made, shape, len(names), steps, run)
    layers = find(found, spiking)
    if steps is None and layers.spiking and found.calling.form != "image":
        raise ConfigError("the module does not tell its number of time steps: give `steps`")
    total = steps or found.signal.steps
    normalise = Normalise(tuple(mean) or (0.0,), tuple(std) or (1.0,)) if mean or std else None
    wrapped = WrappedModule(made, found.calling, found.state, layers.places, None, reset)
    network = network_of(wrapped, head_of(found)).eval()
    check_again(found, network)
    wrapped.to_input, wrapped.to_weights = gradients(found, network)
    wrapped.normalise = normalise
    blueprint = Blueprint(Wrapped(network=network), shape, names, IF() if layers.spiking else None)
    notes = {
        "wrapped": {
            "called": "by `run`" if run is not None else found.calling.form,
            "layers": [place.path for place in layers.places],
            "left_out": layers.left_out,
        }
    }
    stage = Stage(
        "direct" if layers.spiking else "ann",
        blueprint,
        network,
        total,
        encoding or Direct(),
        readout or MeanCurrent(),
        notes,
    )
    return Victim((stage.copied(),))


def unwrap(stage: Stage) -> nn.Module:
    """Return a copy of the module in a stage of `wrap_module`, as it is now.

    Channels that were pruned are silenced by forward hooks, which stay on the layers of the copy.

    Raises:
        ConfigError: If the stage has none.
    """
    if not isinstance(stage.blueprint.architecture, Wrapped):
        raise ConfigError(
            f"stage '{stage.name}' is not that of a wrapped module, but a network of ours; to get "
            "a module of your own back, begin with `wrap_module`"
        )
    wrapped = cast(WrappedModule, stage.copied().network.blocks[0])
    return wrapped.bare()
