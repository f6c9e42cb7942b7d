"""Whether a translation does what the module does: the same input, and every spike the same."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from spikedoor.errors import ConfigError
from spikedoor.snn.activations import Spiking
from spikedoor.snn.networks.layers import Spikes
from spikedoor.snn.readout import MeanRate
from spikedoor.snn.signal import Signal
from spikedoor.victim.assembly import Part, Plan, fill
from spikedoor.victim.foreign.copies import tensors
from spikedoor.victim.foreign.neurons import reset
from spikedoor.victim.foreign.tracing import Run, Seen

__all__ = ["compare"]

_STEPS = 16  # shown to neurons alone
_CURRENTS = (-0.5, 2.5)  # in thresholds


_MAKERS = {torch.empty, torch.eye, torch.ones, torch.rand, torch.tensor, torch.zeros}


class _Double(TorchFunctionMode):
    """Makes new tensors in double precision; torch's default type is that of all threads."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _MAKERS and kwargs.get("dtype") is None:
            kwargs["dtype"] = torch.float64
        return func(*args, **kwargs)


@torch.no_grad()
def compare(made: Plan, found: Run, layers: list[tuple[Seen, Part]]) -> None:
    """Compare neurons alone, on strong currents, and then the network on what the module had.

    Args:
        made: The translation.
        found: What the module did.
        layers: Its layers with theirs, in the order of the signal.

    Raises:
        ConfigError: Naming the first layer that differs, and the step.
    """
    with _Double():
        for seen, part in layers:
            if isinstance(part.layer, Spikes):
                _check_neurons(seen, part)
        network = made.blueprint.build(None)
        fill(network, made)
    steps, batch = found.shown.shape[:2]
    spikes: list[Tensor] = []
    for module in network.modules():
        if isinstance(module, Spiking):
            module.observer = spikes.append
    out = network(Signal(found.shown.flatten(0, 1), steps, batch))
    theirs = [seen for seen, part in layers if isinstance(part.layer, Spikes)]
    if isinstance(made.readout, MeanRate):
        with _Double():
            neuron = made.readout.neuron.build()
        out = neuron(Signal(out.flatten(0, 1), steps, batch)).data
        spikes.append(out)
    for seen, ours in zip(theirs, spikes, strict=True):
        _check_equal(seen, seen.given, ours, steps, exact=True)
    last = layers[-1][0]
    _check_equal(last, last.given, out, steps, exact=False)
    _check_answers(found, last)


def _check_neurons(seen: Seen, part: Part) -> None:
    """Show neurons currents that let them fire often, whatever their network would."""
    assert isinstance(part.layer, Spikes)
    assert part.layer.neuron is not None
    layer = part.layer.neuron.build()
    d = layer.dynamics()
    several = getattr(seen.module, "step_mode", "s") == "m"
    frame = seen.before[1:] if several else seen.before
    low, high = (level * d.threshold / float(d.gain) for level in _CURRENTS)
    drawn = torch.rand((_STEPS, *frame), generator=torch.Generator().manual_seed(0))
    x = low + (high - low) * drawn
    ours = layer(Signal(x.flatten(0, 1), _STEPS, frame[0])).data
    scale = part.values.get("scale")
    if scale is not None:
        x = x / scale.view(1, 1, -1, *[1] * (len(frame) - 2))
    reset(seen.module)
    outputs = [seen.module(x)] if several else [seen.module(one) for one in x]
    spikes = [one[0] if isinstance(one, tuple) else one for one in outputs]
    given = torch.cat([one.reshape(-1) for one in spikes])
    _check_equal(seen, given, ours, _STEPS, exact=True)


def _check_equal(seen: Seen, given: Tensor, ours: Tensor, steps: int, exact: bool) -> None:
    given = given.view(steps, -1).to(ours.dtype)
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
    for answer in tensors(answers):
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
