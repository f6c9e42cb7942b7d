"""From a torch module to a victim: run it, translate what was seen, compare."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from spikedoor.errors import ConfigError
from spikedoor.snn.encoding import Encoding
from spikedoor.snn.networks.base import Shape
from spikedoor.snn.networks.layers import Normalisation
from spikedoor.snn.readout import Readout
from spikedoor.victim.assembly import Part, assemble, check_steps, class_names, plan
from spikedoor.victim.foreign.comparison import compare
from spikedoor.victim.foreign.layers import translated
from spikedoor.victim.foreign.tracing import run
from spikedoor.victim.victim import Victim

__all__ = ["from_module"]


def from_module(
    module: nn.Module,
    shape: Shape,
    classes: int | Sequence[str],
    steps: int | None = None,
    *,
    encoding: Encoding | None = None,
    readout: Readout | None = None,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
) -> Victim:
    """Translate a trained spiking network of SpikingJelly or snnTorch.

    The module is run on random input to see its layers, which have to be a plain chain of
    convolutions, linear layers, batch norm, pooling, flattening, dropout and neurons. What is made
    of them is run on the same input, in double precision: every spike must be the same. For modules
    with branches, recurrence, or other layers see `wrap_module`.

    Args:
        module: The network. It is copied, and stays as it is.
        shape: Channels, height and width of a sample, or of a frame of events.
        classes: Names of the classes, or how many there are.
        steps: Time steps; a module that loops over time itself need not be told.
        encoding: From sample to current; by default the pixels, in [0, 1], at every step.
        readout: From the last layer to scores; by default the mean over time of its output, which
            of neurons is their rate.
        mean: What was subtracted from each channel in training, if anything, of pixels in [0, 1].
        std: What each channel was divided by.

    Raises:
        ConfigError: Naming the first layer that cannot be translated, or differs, and why.
    """
    check_steps(steps)
    names = class_names(classes)
    found = run(module, shape, steps)
    try:
        pairs = [(seen, translated(seen)) for seen in found.layers]
        kept = [(seen, part) for seen, part in pairs if part is not None]
        parts = [part for _, part in kept]
        bare = plan(parts, shape, names)
        compare(bare, found, kept)
    except ConfigError as error:
        raise ConfigError(f"{error}; `wrap_module` takes a module as it is") from error
    made = bare
    if mean or std:
        layer = Normalisation(mean=tuple(mean) or (0.0,), std=tuple(std) or (1.0,))
        made = plan([Part("input", layer), *parts], shape, names)
    return assemble(made, steps or len(found.shown), encoding, readout)
