"""A victim put together from the layers of a network that was made elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral

import torch
from torch import Tensor, nn

from spikedoor.errors import ConfigError
from spikedoor.snn.encoding import Direct, Encoding
from spikedoor.snn.networks import Layered, Network
from spikedoor.snn.networks.base import Shape
from spikedoor.snn.networks.layers import Convolution, Layer, Linear, Norm, Pool, Spikes
from spikedoor.snn.neurons import LIF, PLIF, Neuron
from spikedoor.snn.norm import BatchNorm, folded, inference_form
from spikedoor.snn.readout import MeanCurrent, MeanRate, Readout
from spikedoor.victim.blueprint import Blueprint
from spikedoor.victim.stage import Stage
from spikedoor.victim.victim import Victim

__all__ = ["Part", "Plan", "assemble", "check_steps", "class_names", "fill", "padding_of", "plan"]


@dataclass(frozen=True, eq=False)
class Part:
    """One layer of a network from elsewhere, in our terms.

    Args:
        path: What the layer is called there.
        layer: What it is here.
        values: Of weights, ``weight`` and ``bias``; of a norm also ``running_mean`` and
            ``running_var``; of neurons, ``scale`` where the current of each channel is first to be
            multiplied by something above 0.
    """

    path: str
    layer: Layer
    values: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Plan:
    """How to build the network, and what to fill it with."""

    blueprint: Blueprint
    parts: tuple[Part, ...]
    """The layers before the head; weights that follow maps take row, column, channel."""
    head: Part
    readout: Readout


def check_steps(steps: int | None) -> None:
    """Check a number of time steps, if one is given.

    Raises:
        ConfigError: If it is no whole number from 1 on.
    """
    if steps is not None and (not isinstance(steps, Integral) or steps < 1):
        raise ConfigError(f"steps: expected a whole number from 1 on, got {steps!r}")


def class_names(classes: int | Sequence[str]) -> tuple[str, ...]:
    """Return names of classes; of a number, "0", "1" and so on."""
    return tuple(map(str, range(classes))) if isinstance(classes, int) else tuple(classes)


def padding_of(word: str, kernel: Sequence[int], dilation: Sequence[int]) -> tuple[int, ...]:
    """Return how many zeros on each side the word "same" or "valid" stands for.

    Raises:
        ConfigError: If it is another word, or both sides do not get as many.
    """
    spans = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if word not in ("same", "valid") or (word == "same" and any(span % 2 for span in spans)):
        raise ConfigError(f"padding '{word}' of a kernel of {tuple(kernel)} is not expressed")
    return tuple(span // 2 if word == "same" else 0 for span in spans)


def plan(parts: Sequence[Part], shape: Shape, classes: tuple[str, ...]) -> Plan:
    """Sort the layers into body, head and readout.

    A last linear layer is the head, and its mean over time is read out; behind it may be neurons,
    whose rate is read out then. Where another layer is last, its mean is.

    Raises:
        ConfigError: Naming the layer that does not fit.
    """
    body, head, output = _split(_scaled(list(parts)))
    neurons = [part.layer.neuron for part in body if isinstance(part.layer, Spikes)]
    neuron = neurons[-1] if neurons else output
    if neuron is None:
        raise ConfigError("expected a network with spiking neurons, found none in it")
    placed: list[Part] = []
    frame: tuple[int, ...] = shape
    for part in body:
        placed.append(_placed(part, frame, neuron))
        frame = _shape_after(part, frame)
    features = math.prod(frame)
    if head is None and features == len(classes):
        head = Part("output", Linear(outputs=features), {"weight": torch.eye(features)})
    found = features if head is None else len(head.values["weight"])
    if head is None or found != len(classes):
        where = parts[-1].path if head is None else head.path
        raise ConfigError(
            f"layer '{where}': expected an output for each of {len(classes)} classes, found {found}"
        )
    head = _placed(head, frame, neuron)
    layers = tuple(part.layer for part in placed)
    blueprint = Blueprint(Layered(layers=layers), shape, classes, neuron)
    readout = MeanCurrent() if output is None else MeanRate(neuron=_fixed(output))
    return Plan(blueprint, tuple(placed), head, readout)


def assemble(
    plan: Plan,
    steps: int,
    encoding: Encoding | None = None,
    readout: Readout | None = None,
) -> Victim:
    """Build the network and fill it.

    Args:
        plan: The layers.
        steps: Time steps.
        encoding: From sample to current; the same at each step by default.
        readout: From the head to scores; that of the plan by default.
    """
    network = plan.blueprint.build(None)
    fill(network, plan)
    stage = Stage(
        "direct", plan.blueprint, network, steps, encoding or Direct(), readout or plan.readout
    )
    return Victim((stage,))


@torch.no_grad()
def fill(network: Network, plan: Plan) -> None:
    """Put the values of a plan into its network, in the network's own precision."""
    synapses = network.synapses()
    norm: BatchNorm | None = None
    for part in plan.parts:
        if isinstance(part.layer, Convolution | Linear):
            synapse = next(synapses)
            norm = synapse.norm
            _copy(synapse.layer, part.values)
        elif isinstance(part.layer, Norm):
            assert norm is not None
            _copy(norm, part.values)
    head = {"bias": torch.zeros(len(plan.blueprint.classes)), **plan.head.values}
    _copy(network.head.layer, head)
    network.eval()


def _copy(module: nn.Module, values: dict[str, Tensor]) -> None:
    for name, value in values.items():
        getattr(module, name).copy_(value)


def _split(parts: list[Part]) -> tuple[list[Part], Part | None, Neuron | None]:
    """Return the body, the last linear layer if it ends the network, and neurons behind it."""
    body, output = list(parts), None
    if body and isinstance(body[-1].layer, Spikes):
        output = body.pop().layer.neuron  # type: ignore[attr-defined]
    norm = body.pop() if body and isinstance(body[-1].layer, Norm) else None
    if not body or not isinstance(body[-1].layer, Linear):
        return list(parts), None, None
    head = body.pop()
    return body, head if norm is None else _merged(head, norm), output


def _merged(linear: Part, norm: Part) -> Part:
    """Merge a norm into the layer before it."""
    assert isinstance(norm.layer, Norm)
    form = inference_form(**norm.values, eps=norm.layer.eps)
    weight, bias = folded(linear.values["weight"], linear.values.get("bias"), *form)
    return replace(linear, values={"weight": weight, "bias": bias})


def _fixed(neuron: Neuron) -> Neuron:
    """Return a neuron in which nothing is learned."""
    if not isinstance(neuron, PLIF):
        return neuron
    return LIF(**{name: getattr(neuron, name) for name in type(neuron).model_fields})


def _scaled(parts: list[Part]) -> list[Part]:
    """Take the scale of neurons' currents into the weights or the norm before them."""
    found = list(parts)
    for i, part in enumerate(parts):
        scale = part.values.get("scale")
        if scale is None:
            continue
        found[i] = replace(part, values={})
        behind = i - 1
        while behind >= 0 and isinstance(found[behind].layer, Pool):
            behind -= 1
        if behind < 0 or not isinstance(found[behind].layer, Convolution | Linear | Norm):
            raise ConfigError(
                f"layer '{part.path}': currents of neurons can be weighted only behind a "
                "convolution or linear layer"
            )
        carrier = found[behind]
        values = dict(carrier.values)
        for name in ("weight", "bias"):
            if name in values:
                wide = scale.view(-1, *[1] * (values[name].dim() - 1))
                values[name] = values[name] * wide
        found[behind] = replace(carrier, values=values)
    return found


def _shape_after(part: Part, frame: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return part.layer.shape(frame)
    except ConfigError as error:
        raise ConfigError(f"layer '{part.path}': {error}") from None


def _placed(part: Part, frame: tuple[int, ...], neuron: Neuron) -> Part:
    """Return a part as it stands behind a frame: weights in our order, neurons named if others."""
    if isinstance(part.layer, Spikes) and part.layer.neuron == neuron:
        return replace(part, layer=Spikes())
    if not isinstance(part.layer, Convolution | Linear):
        return part
    weight = part.values["weight"]
    if isinstance(part.layer, Linear):
        inputs, expected = weight.shape[1], math.prod(frame)
        if len(frame) == 3 and inputs == expected:
            weight = weight.unflatten(1, frame).permute(0, 2, 3, 1).flatten(1)
    else:
        inputs, expected = weight.shape[1] * part.layer.groups, frame[0]
    if inputs != expected:
        raise ConfigError(
            f"layer '{part.path}': takes {inputs} inputs, is given {expected}; are the samples of "
            "the size and channels that it was trained on?"
        )
    return replace(part, values={**part.values, "weight": weight})
