"""Neurons of other libraries in our terms, known by the names of their classes and what they hold.

``h`` is the membrane before the reset, as in `Dynamics`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from spikedoor.errors import ConfigError
from spikedoor.snn.networks.layers import Spikes
from spikedoor.snn.neurons import IF, LIF, PLIF, DelayedLIF, Neuron
from spikedoor.victim.assembly import Part

__all__ = ["is_neuron", "neurons_part", "refusal", "reset"]


def is_neuron(module: nn.Module) -> bool:
    """Whether a module is a layer of neurons, one that can be translated or not."""
    return hasattr(module, "v_threshold") or (
        hasattr(module, "threshold") and hasattr(module, "reset_mechanism")
    )


def reset(module: nn.Module) -> None:
    """Take all neurons back to their start."""
    for inner in module.modules():
        if is_neuron(inner) or hasattr(inner, "_memories"):
            # snnTorch's neurons have a tensor named reset, of the last step, which theirs leaves.
            start = getattr(inner, "reset_mem", None) or getattr(inner, "reset", None)
            if callable(start):
                start()
            if isinstance(left := getattr(inner, "reset", None), Tensor):
                inner.reset = torch.zeros_like(left)


def neurons_part(path: str, module: nn.Module) -> Part:
    """Translate a layer of neurons.

    Raises:
        ConfigError: Naming the neuron that cannot be expressed, and why.
    """
    names = [cls.__name__ for cls in type(module).__mro__]
    for name, translate in _KNOWN.items():
        if name in names:
            return translate(path, module)
    raise refusal(path, module, f"known are {', '.join(_KNOWN)}")


def refusal(path: str, module: nn.Module, why: str) -> ConfigError:
    """Return the error that says which layer cannot be expressed, and why."""
    return ConfigError(f"layer '{path}' ({type(module).__name__}) cannot be translated: {why}")


def _spikingjelly(path: str, module: Any, make: Callable[..., Neuron], **fields: Any) -> Part:
    """Soft reset where ``v_reset`` is None; fires at ``h >= v_threshold``, as ours do."""
    soft = module.v_reset is None
    neuron = make(
        threshold=float(module.v_threshold),
        reset="soft" if soft else "hard",
        v_reset=0.0 if soft else float(module.v_reset),
        detach_reset=bool(module.detach_reset),
        **fields,
    )
    return Part(path, Spikes(neuron=neuron))


def _if(path: str, module: Any) -> Part:
    return _spikingjelly(path, module, IF)


def _lif(path: str, module: Any) -> Part:
    fields = {"tau": float(module.tau), "decay_input": bool(module.decay_input)}
    return _spikingjelly(path, module, LIF, **fields)


def _plif(path: str, module: Any) -> Part:
    tau = 1 / float(torch.sigmoid(module.w.detach().double()))
    return _spikingjelly(path, module, PLIF, tau=tau, decay_input=bool(module.decay_input))


def _leaky(path: str, module: Any) -> Part:
    """Fires at ``h > threshold`` where ours do at ``>=``; the input is taken whole.

    A reset to zero is the same at once and a step late, one by subtraction is not.
    """
    for name, usual in (("inhibition", False), ("state_quant", False), ("graded_spikes_factor", 1)):
        found = getattr(module, name)
        if found != usual:
            raise refusal(path, module, f"{name} is {found}, expected {usual}")
    betas, thresholds = (
        torch.as_tensor(values).detach().cpu().double().reshape(-1)
        for values in (module.beta, module.threshold)
    )
    beta = min(float(betas[0]), 1.0)
    if not (betas == betas[0]).all() or beta <= 0:
        raise refusal(path, module, "expected one beta for all neurons, above 0")
    kind, late = module.reset_mechanism, bool(module.reset_delay)
    if kind not in ("subtract", "zero"):
        raise refusal(path, module, f"its reset is '{kind}', expected 'subtract' or 'zero'")
    if kind == "subtract" and not late:
        why = (
            "with reset_delay=False a membrane that stays above the threshold is treated otherwise"
        )
        raise refusal(path, module, f"{why}; expected reset_delay=True, or 'zero'")
    alike = bool((thresholds == thresholds[0]).all())
    fields: dict[str, Any] = {
        "threshold": float(thresholds[0]) if alike else 1.0,
        "reset": "hard" if kind == "zero" else "soft",
    }
    if beta == 1:
        neuron: Neuron = IF(**fields)
    elif kind == "subtract":
        neuron = DelayedLIF(beta=beta, **fields)
    else:
        neuron = LIF(tau=1 / (1 - beta), decay_input=False, **fields)
    return Part(path, Spikes(neuron=neuron), {} if alike else {"scale": 1 / thresholds})


_KNOWN: dict[str, Callable[[str, Any], Part]] = {
    "ParametricLIFNode": _plif,
    "LIFNode": _lif,
    "IFNode": _if,
    "Leaky": _leaky,
}
