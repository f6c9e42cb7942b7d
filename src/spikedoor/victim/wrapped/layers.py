"""Which modules of a module are spiking layers, or rectifiers, and which linear layer is the head.

All of it follows from one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from spikedoor.errors import ConfigError, hint
from spikedoor.victim.foreign.neurons import is_neuron
from spikedoor.victim.wrapped.tap import Place, Source, replay, stacked
from spikedoor.victim.wrapped.tracing import Calls, Run

__all__ = ["Found", "find", "head_of"]

_RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus)
_WEIGHTED = (nn.Linear, nn.modules.conv._ConvNd)


class Found(NamedTuple):
    """Layers to look into.

    Args:
        places: In the order of the signal; the neurons that give the scores are none of them.
        left_out: Why others are left out, by path.
        spiking: Whether they are neurons.
    """

    places: tuple[Place, ...]
    left_out: dict[str, str]
    spiking: bool


def find(run: Run, named: Sequence[str] | None) -> Found:
    """Find the spiking layers: those named, or all that are known or behave like some.

    A layer behaves like neurons if it sends on nothing but 0 and one other value, and has a state,
    kept or handed on. Without any, the rectifiers are found.

    Raises:
        ConfigError: If a named one is not there or cannot be looked into, naming it and why.
    """
    for path in named or ():
        if path not in run.calls:
            known = [path for path in run.calls if path]
            raise ConfigError(f"the module ran no layer '{path}'{hint(path, known, listed=False)}")
    paths = _spiking(run) if named is None else list(named)
    neurons = bool(paths)
    if not neurons:
        paths = [path for path, one in run.calls.items() if isinstance(one.module, _RECTIFIERS)]
    places, left_out = [], {}
    for path in sorted(paths, key=list(run.calls).index):
        try:
            place = _place(run, run.calls[path], neurons)
        except ConfigError as error:
            if named is not None:
                raise
            left_out[path] = str(error)
        else:
            if not _answers(run, run.calls[path]):
                places.append(place)
    return Found(tuple(places), left_out, neurons)


def head_of(run: Run) -> str | None:
    """Return the path of the last layer with weights, if it is linear with an output a class."""
    weighted = [one for one in run.calls.values() if isinstance(one.module, _WEIGHTED)]
    if not weighted:
        return None
    last = weighted[-1]
    fits = isinstance(last.module, nn.Linear) and last.module.out_features == run.scores.shape[2]
    return last.path if fits else None


def _spiking(run: Run) -> list[str]:
    """Return the innermost modules that are neurons."""
    found = [path for path, one in run.calls.items() if path and _is_spiking(run, one)]
    return [path for path in found if not any(p.startswith(f"{path}.") for p in found)]


def _is_spiking(run: Run, calls: Calls) -> bool:
    if is_neuron(calls.module):
        return True
    if not (calls.handed or run.state.within(calls.path)):
        return False
    return bool(_heights(calls)) and len(_heights(calls)) == 1


def _heights(calls: Calls) -> list[float]:
    """Return all values that are sent on but 0."""
    values = [x.unique() for x in calls.outputs if x is not None]
    found = torch.cat(values).unique() if values else torch.zeros(0)
    return found[found != 0].tolist()


def _place(run: Run, calls: Calls, neurons: bool) -> Place:
    """Return where a layer is.

    Raises:
        ConfigError: If its calls are not one for each step, or one for all.
    """
    steps, batch = run.signal.steps, run.signal.batch
    path, kind = calls.path, type(calls.module).__name__
    outputs = [x for x in calls.outputs if x is not None]
    shapes = {tuple(x.shape) for x in outputs}
    given = [x for x in calls.inputs if x is not None]
    if not len(given) == len(outputs) == len(calls.outputs) or len(shapes) != 1:
        raise ConfigError(f"layer '{path}' ({kind}) does not take and give one tensor in each call")
    shape = next(iter(shapes))
    if len(outputs) == steps and shape[0] == batch:
        at_once = False
    elif len(outputs) == 1 and shape[:2] == (steps, batch):
        at_once = True
    elif len(outputs) == 1 and shape[0] == steps * batch:
        at_once = False
    else:
        raise ConfigError(
            f"layer '{path}' ({kind}) ran {len(outputs)} times and gave {list(shape)}; expected "
            f"{steps} calls with a batch of {batch}, or one with all steps first"
        )
    frame = shape[1 + at_once :]
    if not frame:
        raise ConfigError(f"layer '{path}' ({kind}) gives one number a sample, no channels")
    heights = _heights(calls)
    height = abs(heights[0]) if neurons and len(heights) == 1 else 1.0
    source, why = _membrane(run, calls, at_once) if neurons else ("input", "")
    return Place(path, tuple(frame), at_once, height, source, why)


def _answers(run: Run, calls: Calls) -> bool:
    """Whether what a layer sends on, at each step or together, are the scores themselves."""
    sent = torch.cat([x.reshape(-1) for x in calls.outputs if x is not None])
    if sent.numel() != run.scores.numel():
        return False
    sent = sent.view_as(run.scores)
    known = (sent, *(x.expand_as(sent) for x in (sent.sum(0), sent.mean(0), sent[-1])))
    return any(torch.allclose(x, run.scores) for x in known)


def _membrane(run: Run, calls: Calls, at_once: bool) -> tuple[Source | None, str]:
    """Return where the membrane before the reset is seen, and why nowhere."""
    layer: Any = calls.module
    if all(hasattr(layer, name) for name in ("_memories", "v", "v_threshold", "v_reset")):
        if _fires_by_replay(run, calls, at_once):
            return "replay", ""
        return None, "its step, done again without a threshold, does not tell when it fires"
    if isinstance(getattr(layer, "mem", None), Tensor) and hasattr(layer, "threshold"):
        if getattr(layer, "reset_delay", True) and run.signal.steps == len(calls.outputs):
            return "mem", ""
        return None, "it is reset before the step is over"
    return None, f"{type(layer).__name__} has none that is known here"


def _fires_by_replay(run: Run, calls: Calls, at_once: bool) -> bool:
    """Whether the membranes of `replay` are above the threshold where there are spikes."""
    layer: Any = calls.module
    given, fired = (
        stacked([x for x in kept if x is not None], at_once, run.signal.steps, run.signal.batch)
        for kept in (calls.inputs, calls.outputs)
    )
    try:
        found = replay(layer, given, fired)
    # A neuron that is like SpikingJelly's, but has no step of its own, or one that takes more.
    except (RuntimeError, AttributeError, TypeError):
        return False
    spikes, threshold = fired != 0, layer.v_threshold
    return bool(((found > threshold) <= spikes).all() & (spikes <= (found >= threshold)).all())
