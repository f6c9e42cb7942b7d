"""From a torch module to a victim: run it, translate what was seen, compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from spikedoor.errors import ConfigError
from spikedoor.snn.activations import Spiking
from spikedoor.snn.encoding import Encoding
from spikedoor.snn.networks.base import Shape
from spikedoor.snn.networks.layers import Normalisation
from spikedoor.snn.readout import MeanRate, Readout
from spikedoor.snn.signal import Signal
from spikedoor.victim.assembly import Part, Plan, assemble, class_names, fill, plan
from spikedoor.victim.foreign.layers import translated
from spikedoor.victim.foreign.neurons import is_neuron
from spikedoor.victim.foreign.tracing import Run, Seen, run
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
    of them is run on the same input, in double precision: every spike must be the same.

    Args:
        module: The network. It is copied; only its membranes are set back to their start.
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
    names = class_names(classes)
    found = run(module, shape, steps)
    pairs = [(seen, translated(seen)) for seen in found.layers]
    kept = [(seen, part) for seen, part in pairs if part is not None]
    parts = [part for _, part in kept]
    bare = plan(parts, shape, names)
    _compare(bare, found, [seen for seen, _ in kept])
    made = bare
    if mean or std:
        layer = Normalisation(mean=tuple(mean) or (0.0,), std=tuple(std) or (1.0,))
        made = plan([Part("input", layer), *parts], shape, names)
    return assemble(made, steps or len(found.shown), encoding, readout)


@contextmanager
def _double() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@torch.no_grad()
def _compare(made: Plan, found: Run, layers: list[Seen]) -> None:
    """Run the translation on the input that the module had, and compare.

    Raises:
        ConfigError: Naming the first layer that differs, and the step.
    """
    with _double():
        network = made.blueprint.build(None)
        fill(network, made)
    steps, batch = found.shown.shape[:2]
    spikes: list[Tensor] = []
    for module in network.modules():
        if isinstance(module, Spiking):
            module.observer = spikes.append
    out = network(Signal(found.shown.flatten(0, 1), steps, batch))
    theirs = [seen for seen in layers if is_neuron(seen.module)]
    if isinstance(made.readout, MeanRate):
        neuron = made.readout.neuron.build().double()
        out = neuron(Signal(out.flatten(0, 1), steps, batch)).data
        spikes.append(out)
    for seen, ours in zip(theirs, spikes, strict=True):
        _check_equal(seen, ours, steps, exact=True)
    _check_equal(layers[-1], out, steps, exact=False)
    _check_answers(found, layers[-1])


def _check_equal(seen: Seen, ours: Tensor, steps: int, exact: bool) -> None:
    given = seen.given.view(steps, -1)
    ours = ours.reshape(steps, -1)
    wrong = ours != given if exact else ~torch.isclose(ours, given, rtol=1e-6, atol=1e-9)
    if not wrong.any():
        return
    step = int(wrong.any(1).nonzero()[0])
    raise ConfigError(
        f"layer '{seen.path}' ({type(seen.module).__name__}) cannot be translated: on random input "
        f"{int(wrong[step].sum())} of {wrong.shape[1]} outputs at step {step + 1} differ from "
        "those of its translation, so it, or what comes before it, does more than its settings say"
    )


def _check_answers(found: Run, last: Seen) -> None:
    """Check that what the module returns is what its last layer gives, or tells the same class.

    Raises:
        ConfigError: If something else happens behind the last layer.
    """
    steps, batch = found.shown.shape[:2]
    given = last.given.view(steps, batch, -1)
    known = (given, given.sum(0), given.mean(0), given[-1])
    answers = found.answers if len(found.answers) == 1 else [_stacked(found.answers)]
    for answer in _tensors(answers):
        for one in known:
            if answer.numel() == one.numel():
                answer = answer.reshape(one.shape)
                if torch.equal(answer, one) or torch.equal(answer.argmax(-1), one.argmax(-1)):
                    return
    raise ConfigError(
        f"what the module returns is not what its last layer '{last.path}' gives, nor a sum of it "
        "over time: expected nothing but layers"
    )


def _stacked(answers: list[Any]) -> Any:
    """Return what was returned step by step as one value."""
    if isinstance(answers[0], Tensor):
        return torch.stack(answers)
    return [_stacked(list(one)) for one in zip(*answers, strict=True)]


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _tensors(inner)
