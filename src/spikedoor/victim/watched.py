"""What layers make of a batch, with its gradient: for terms of a loss.

A `Probe` streams the same without gradients, in bounded memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from spikedoor.snn.activations import Rectifier, Spiking
from spikedoor.snn.kernels import eager, signed
from spikedoor.snn.norm import BatchNorm
from spikedoor.snn.signal import Signal
from spikedoor.victim.wrapped.tap import Tap

__all__ = ["Looks", "watched"]

Looks = Literal["activation", "membrane"]


@contextmanager
def watched(network: nn.Module, paths: Sequence[str], what: Looks) -> Iterator[dict[str, Tensor]]:
    """Yield where layers leave their mean over time, as often as the network runs.

    Args:
        network: The network; it computes what it always does.
        paths: Of activations in it.
        what: What they are about to send on, spikes times their height, or the membrane before the
            reset; of an ANN "membrane" is the pre-activation.

    Returns:
        By path, [B, ...] as `features` has it, with its gradient.
    """
    seen: dict[str, Tensor] = {}
    with ExitStack() as hooks:
        for path in paths:
            layer = network.get_submodule(path)
            hook = partial(_look, partial(seen.__setitem__, path), what)
            hooks.enter_context(layer.register_forward_pre_hook(hook))
        yield seen


def _look(
    leave: Callable[[Tensor], None], what: Looks, layer: nn.Module, arguments: tuple[Any, ...]
) -> None:
    """Leave what an activation is about to make of its input, with its gradient."""
    signal, norm, *_ = (*arguments, None)
    if isinstance(layer, Tap):
        shown = layer.membrane_of(signal) if what == "membrane" else signal.spikes * layer.amplitude
        leave(shown.mean(0))
    else:
        leave(_mean(layer, signal, norm, what))


def _mean(layer: nn.Module, signal: Signal, norm: BatchNorm | None, what: Looks) -> Tensor:
    x = signal.data
    if norm is not None and norm.training:  # its running statistics are for the layer to move
        x = F.batch_norm(x, None, None, norm.weight, norm.bias, True, eps=norm.eps)
    elif norm is not None:
        x = norm(x)
    if isinstance(layer, Rectifier):
        return x if what == "membrane" else layer.rectify(x)
    assert isinstance(layer, Spiking)
    dynamics = layer.dynamics()
    run = signed if dynamics.signed else eager
    spikes, membrane, _ = run.trace(x.unflatten(0, (-1, signal.batch)), signal.steps, dynamics)
    return membrane.mean(0) if what == "membrane" else spikes.mean(0) * dynamics.amplitude
