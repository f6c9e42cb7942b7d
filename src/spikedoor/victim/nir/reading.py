"""From the nodes of a NIR file to a victim."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikedoor.errors import ConfigError, DataError, hint
from spikedoor.snn.encoding import Encoding
from spikedoor.snn.networks.base import Shape
from spikedoor.snn.networks.layers import Convolution, Layer, Linear, Pool, Spikes
from spikedoor.snn.neurons import IF, LIF, Neuron
from spikedoor.snn.readout import Readout
from spikedoor.victim.assembly import Part, assemble, check_steps, class_names, padding_of, plan
from spikedoor.victim.nir.graph import Node, chain
from spikedoor.victim.victim import Victim

__all__ = ["DT", "Reset", "Solver", "read"]

DT = 1e-4
"""Seconds of a time step that SpikingJelly and snnTorch write by default."""

Reset = Literal["hard", "soft"]
Solver = Literal["euler", "exact"]


def read(
    path: str | Path,
    classes: int | Sequence[str],
    steps: int,
    *,
    shape: Shape | None = None,
    dt: float = DT,
    reset: Reset = "hard",
    solver: Solver = "euler",
    encoding: Encoding | None = None,
    readout: Readout | None = None,
) -> Victim:
    """Read a NIR file. Nothing in it can run code, and no link in it is followed.

    NIR tells equations, such as ``tau dv/dt = (v_leak - v) + r x``; here they go forward by steps
    of dt: ``h = (1 - a) v + a (v_leak + r x)``, and ``h = v + r dt x`` of IF. By Euler's method
    ``a = dt/tau``; exact for a current that stays the same during a step, ``a = 1 - exp(-dt/tau)``.

    Args:
        path: File.
        classes: Names of the classes, or how many there are.
        steps: Time steps.
        shape: Channels, height and width of a sample; by default as the file says.
        dt: Seconds in a step; 1 where time constants are in steps. An IF neuron with ``r = 1``
            counts as ``h = v + x`` whatever it is, as some libraries write it.
        reset: What happens at a spike. NIR knows the hard reset alone, so a network with another is
            written as if it had that, and whoever has it must know.
        solver: How LIF goes forward. Most libraries that write NIR go by Euler's method, sinabs
            is exact.
        encoding: From sample to current; by default the pixels, in [0, 1], at every step.
        readout: From the last layer to scores; by default the mean over time of its output.

    Raises:
        ConfigError: If dt is not above 0, steps are fewer than 1, or the solver is unknown.
        DataError: If the file is missing, damaged or beyond its limits, or has a node that cannot
            be expressed, which is named.
    """
    check_steps(steps)
    if not dt > 0:
        raise ConfigError(f"dt: expected seconds above 0, got {dt}")
    if solver not in get_args(Solver):
        raise ConfigError(f"unknown solver '{solver}'{hint(solver, get_args(Solver))}")
    nodes = chain(path)
    try:
        start, *inner, _ = nodes
        parts = [part for node in inner if (part := _part(node, dt, reset, solver)) is not None]
        made = plan(parts, shape or _input_shape(start), class_names(classes))
        return assemble(made, steps, encoding, readout)
    except (ConfigError, DataError) as error:
        raise DataError(f"{path}: {error}") from None


def _input_shape(node: Node) -> Shape:
    shape = np.asarray(node.values["shape"])
    sides = [int(side) for side in shape.ravel()[:5].tolist()]  # 5 are too many
    if len(sides) == 4 and sides[0] == 1:  # a batch of one was taken for part of the shape
        del sides[0]
    if len(sides) != 3 or min(sides) < 1:
        raise DataError(
            f"node '{node.name}': expected channels, height and width, found {sides}; give `shape`"
        )
    return sides[0], sides[1], sides[2]


def _part(node: Node, dt: float, reset: Reset, solver: Solver) -> Part | None:
    if node.kind in ("IF", "LIF"):
        return _neurons(node, dt, reset, solver)
    return _STATELESS[node.kind](node)


def _tensor(node: Node, key: str, dims: int) -> Tensor:
    values = np.asarray(node.values[key])
    if values.ndim != dims or not values.size:
        raise DataError(
            f"node '{node.name}': expected '{key}' of {dims} dimensions, found {list(values.shape)}"
        )
    return torch.from_numpy(values.astype(np.float32))


def _weights(node: Node, layer: Callable[..., Layer], dims: int, **settings: Any) -> Part:
    weight = _tensor(node, "weight", dims)
    values = {"weight": weight}
    if "bias" in node.values:
        values["bias"] = _tensor(node, "bias", 1)
        if len(values["bias"]) != len(weight):
            raise DataError(
                f"node '{node.name}': expected a bias for each of {len(weight)} outputs, found "
                f"{len(values['bias'])}"
            )
    return Part(node.name, layer(outputs=len(weight), bias="bias" in values, **settings), values)


def _linear(node: Node) -> Part:
    return _weights(node, Linear, 2)


def _convolution(node: Node) -> Part:
    kernel = tuple(_tensor(node, "weight", 4).shape[2:])
    dilation, padding = node.pair("dilation"), node.values["padding"]
    if isinstance(padding, str):
        try:
            sides = padding_of(padding, kernel, dilation)
        except ConfigError as error:
            raise DataError(f"node '{node.name}': {error}") from None
    else:
        sides = node.pair("padding")
    return _weights(
        node,
        Convolution,
        4,
        kernel=kernel,
        stride=node.pair("stride"),
        padding=sides,
        dilation=dilation,
        groups=node.number("groups"),
    )


def _pool(node: Node) -> Part:
    names = {"size": "kernel_size", "stride": "stride", "padding": "padding"}
    settings = {ours: node.pair(theirs) for ours, theirs in names.items()}
    return Part(node.name, Pool(kind="sum" if node.kind == "SumPool2d" else "avg", **settings))


def _flatten(node: Node) -> None:
    """Check that all is flattened; a first dimension of 1 leaves out a batch that NIR has not."""
    start, end = node.number("start_dim"), node.number("end_dim")
    if start not in (0, 1) or end not in (-1, 2, 3):
        raise DataError(
            f"node '{node.name}': expected all to be flattened, found dimensions {start} to {end}"
        )


_STATELESS: dict[str, Callable[[Node], Part | None]] = {
    "Affine": _linear,
    "Linear": _linear,
    "Conv2d": _convolution,
    "SumPool2d": _pool,
    "AvgPool2d": _pool,
    "Flatten": _flatten,
}


def _neurons(node: Node, dt: float, reset: Reset, solver: Solver) -> Part:
    """Discretise neurons; what differs from channel to channel goes into the weights before them.

    Neurons whose current is weighted by g and that fire at V are those that fire at 1, with a
    weight of ``g / V``.
    """
    threshold = _by_channel(node, "v_threshold")
    if not (threshold > 0).all():
        raise DataError(f"node '{node.name}': expected thresholds above 0")
    rest = 0.0 if node.values["v_reset"] is None else _alike(node, "v_reset")
    leaky = node.kind == "LIF"
    tau = _alike(node, "tau") / dt if leaky else math.inf
    if leaky and tau > 0 and solver == "exact":
        tau = -1 / math.expm1(-1 / tau)  # Euler's method goes as far with this one
    if not tau > 1:
        raise DataError(
            f"node '{node.name}': expected a time constant above dt, found {tau:.3g} dt; give `dt`"
        )
    r = _by_channel(node, "r")
    gain = r / tau if leaky else np.where(r == 1, 1.0, r * dt)
    if not (gain > 0).all():
        raise DataError(f"node '{node.name}': expected a resistance above 0")
    if leaky and not math.isclose(_alike(node, "v_leak"), rest, rel_tol=1e-6, abs_tol=1e-9):
        raise DataError(f"node '{node.name}': v_leak differs from v_reset, which is not expressed")
    decays = leaky and np.allclose(r, 1, rtol=1e-6)
    scale = np.ones_like(r) if decays or np.allclose(gain, 1, rtol=1e-6) else gain
    height = float(threshold.ravel()[0])
    if not np.allclose(threshold, height, rtol=1e-6):
        if rest:
            raise DataError(f"node '{node.name}': thresholds differ, and v_reset is not 0")
        scale, height = scale / threshold, 1.0
    fields = {"threshold": height, "reset": reset, "v_reset": rest}
    neuron: Neuron = LIF(tau=tau, decay_input=decays, **fields) if leaky else IF(**fields)
    weighted = not (scale == 1).all()
    values = {"scale": torch.from_numpy(scale.astype(np.float32))} if weighted else {}
    return Part(node.name, Spikes(neuron=neuron), values)


def _alike(node: Node, key: str) -> float:
    """Return the number that all neurons have."""
    values = np.asarray(node.values[key])
    if not values.size or not math.isclose(values.min(), values.max(), rel_tol=1e-6):
        raise DataError(f"node '{node.name}': '{key}' differs from neuron to neuron")
    return float(values.ravel()[0])


def _by_channel(node: Node, key: str) -> NDArray[np.float64]:
    """Return a number for each channel, or one for all."""
    values = np.asarray(node.values[key])
    if not values.size:
        raise DataError(f"node '{node.name}': '{key}' is empty")
    if (values == values.ravel()[0]).all():
        return values.ravel()[:1].astype(np.float64)
    by_channel = values.reshape(len(values), -1)
    if not (by_channel == by_channel[:, :1]).all():
        raise DataError(f"node '{node.name}': '{key}' differs within a channel")
    return by_channel[:, 0].astype(np.float64)
