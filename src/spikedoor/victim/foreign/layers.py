"""Layers of torch, and of libraries that inherit from them, in our terms."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from spikedoor.errors import ConfigError
from spikedoor.snn.networks.layers import Convolution, Linear, Norm, Pool
from spikedoor.victim.assembly import Part, padding_of
from spikedoor.victim.foreign.neurons import is_neuron, neurons_part, refusal
from spikedoor.victim.foreign.tracing import Seen

__all__ = ["translated"]

_NOTHING = (nn.Identity, nn.Flatten, nn.modules.dropout._DropoutNd)


def translated(seen: Seen) -> Part | None:
    """Translate a layer; None if it does nothing in evaluation.

    Raises:
        ConfigError: Naming the layer that cannot be expressed, and why.
    """
    path, module = seen.path, seen.module
    if is_neuron(module):
        return neurons_part(path, module)
    if isinstance(module, _NOTHING) or type(module).__name__.startswith("Dropout"):
        return None
    if isinstance(module, nn.Conv2d):
        return _convolution(path, module)
    if isinstance(module, nn.Linear):
        layer = Linear(outputs=module.out_features, bias=module.bias is not None)
        return Part(path, layer, _values(module, "weight", "bias"))
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return _norm(path, module)
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        return _pool(path, module)
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return _adaptive(seen)
    if hasattr(module, "voting_size"):
        return _voting(seen)
    raise refusal(path, module, _WHY.get(type(module).__name__, "this layer is not known here"))


_WHY = {
    name: "it is no spiking neuron; networks with both kinds of activation are not expressed"
    for name in ("ReLU", "Sigmoid", "Tanh", "LeakyReLU", "GELU", "ELU", "SiLU")
}


def _values(module: nn.Module, *names: str) -> dict[str, Tensor]:
    found = {name: getattr(module, name) for name in names}
    return {name: value.detach().cpu() for name, value in found.items() if value is not None}


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _convolution(path: str, module: nn.Conv2d) -> Part:
    if module.padding_mode != "zeros":
        raise refusal(path, module, f"its padding is '{module.padding_mode}', expected 'zeros'")
    padding = module.padding
    if isinstance(padding, str):
        try:
            padding = padding_of(padding, module.kernel_size, module.dilation)
        except ConfigError as error:
            raise refusal(path, module, str(error)) from None
    layer = Convolution(
        outputs=module.out_channels,
        kernel=_pair(module.kernel_size),
        stride=_pair(module.stride),
        padding=_pair(padding),
        dilation=_pair(module.dilation),
        groups=module.groups,
        bias=module.bias is not None,
    )
    return Part(path, layer, _values(module, "weight", "bias"))


def _norm(path: str, module: nn.modules.batchnorm._BatchNorm) -> Part:
    if module.running_mean is None or module.running_var is None:
        raise refusal(path, module, "it keeps no running statistics, so samples of a batch meet")
    values = {
        "weight": torch.ones_like(module.running_mean),
        "bias": torch.zeros_like(module.running_mean),
        **_values(module, "weight", "bias", "running_mean", "running_var"),
    }
    return Part(path, Norm(eps=module.eps), values)


def _pool(path: str, module: nn.MaxPool2d | nn.AvgPool2d) -> Part:
    size, padding = _pair(module.kernel_size), _pair(module.padding)
    stride = size if module.stride is None else _pair(module.stride)
    if module.ceil_mode:
        raise refusal(path, module, "ceil_mode is not expressed")
    kind, plain = "max", True
    if isinstance(module, nn.AvgPool2d):
        area = module.divisor_override or size[0] * size[1]
        kind = "sum" if area == 1 else "avg"
        plain = area in (1, size[0] * size[1])
        plain = plain and (module.count_include_pad or padding == (0, 0))
    elif _pair(module.dilation) != (1, 1):
        plain = False
    if not plain:
        raise refusal(path, module, "this divisor, padding or dilation is not expressed")
    return Part(path, Pool(kind=kind, size=size, stride=stride, padding=padding))


def _adaptive(seen: Seen) -> Part:
    size = tuple(a // b for a, b in zip(seen.before[-2:], seen.after[-2:], strict=True))
    if any(a != s * b for a, b, s in zip(seen.before[-2:], seen.after[-2:], size, strict=True)):
        raise refusal(seen.path, seen.module, "its windows are of different sizes")
    return Part(seen.path, Pool(kind="avg", size=size, stride=size))


def _voting(seen: Seen) -> Part:
    """SpikingJelly's mean over groups of outputs, as weights."""
    inputs, outputs = seen.before[-1], seen.after[-1]
    weight = torch.eye(outputs).repeat_interleave(inputs // outputs, 1) / (inputs // outputs)
    return Part(seen.path, Linear(outputs=outputs), {"weight": weight})
