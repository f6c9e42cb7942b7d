"""What a module does in a run: how it is called, and every call of everything in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from spikedoor.errors import ConfigError
from spikedoor.snn.networks.base import Shape
from spikedoor.snn.signal import Signal
from spikedoor.victim.foreign.inputs import MOST_STEPS, forms, images, several_at_once, taken
from spikedoor.victim.foreign.neurons import is_neuron
from spikedoor.victim.wrapped.calling import Calling, Own, read
from spikedoor.victim.wrapped.state import State, seeded, snapshot
from spikedoor.victim.wrapped.tap import first

__all__ = ["Calls", "Run", "check_again", "gradients", "trace"]

_ALIKE = 0.9  # share of scores; a spike at the threshold may go either way in another order


@dataclass(eq=False)
class Calls:
    """All calls of one module.

    Args:
        path: Its name.
        module: The module.
        inputs: First argument of each call, None where there was none.
        outputs: What it sent on; None where that is no tensor.
        handed: Whether it gave something beside, such as its state.
    """

    path: str
    module: nn.Module
    inputs: list[Tensor | None] = field(default_factory=list)
    outputs: list[Tensor | None] = field(default_factory=list)
    handed: bool = False


@dataclass(frozen=True, eq=False)
class Run:
    """What a module did with random input.

    Args:
        calling: How it was run.
        signal: What it was shown.
        scores: What it answered, (steps, batch, classes).
        calls: Of each module in it, in the order of their first call.
        state: What it carries from step to step.
        draws: Whether it draws random numbers.
    """

    calling: Calling
    signal: Signal
    scores: Tensor
    calls: dict[str, Calls]
    state: State
    draws: bool


@torch.no_grad()
def trace(module: nn.Module, shape: Shape, classes: int, steps: int | None, own: Own | None) -> Run:
    """Run a module, which is at its start and stays there, and see.

    Raises:
        ConfigError: If it takes no input of that shape, gives no scores, does not tell the number
            of steps, keeps something from before, or has weights of another type than samples.
    """
    weights = next((w for w in module.parameters() if w.is_floating_point()), torch.zeros(0))
    if weights.dtype != torch.float32:
        raise ConfigError(
            f"expected weights in float32, as samples are, got {weights.dtype}: give module.float()"
        )
    count = min(steps or 1, MOST_STEPS)
    x = images(shape, count, 4 if count != 4 else 5, weights.dtype).to(weights.device)
    before = snapshot(module)

    def attempt(form: Tensor) -> tuple[Calling, int]:
        try:
            with _recorded(module) as calls, seeded(0, weights.device):
                scores = read(module(form), x.shape[1], classes)
        finally:
            state = State(before, snapshot(module))
            state.restore(module, weights.device)
        sequence = form.shape[:2] == x.shape[:2]
        flat = form.dim() < (5 if sequence else 4)
        if sequence:
            return Calling("sequence", flat), count
        done = len(scores) if scores.dim() == 3 else _looped(calls, state, x.shape[1])
        return Calling("image" if done > 1 else "step", flat), done

    if own is not None:
        calling, done = Calling(own=own), count
    else:
        try:
            calling, done = taken(forms(x, several_at_once(module)), attempt)
        except ConfigError as error:
            raise ConfigError(
                f"{error}; if it is to be called in another way, give `run`, and if it keeps "
                "something from an earlier run, `reset`"
            ) from error
    if calling.form == "image":
        if steps not in (None, done):
            raise ConfigError(f"the module goes through {done} time steps itself, got {steps}")
        signal = Signal(x[0], done, x.shape[1])
    else:
        signal = Signal(x.flatten(0, 1), count, x.shape[1])
    with _recorded(module) as calls, seeded(0, weights.device):
        undrawn = torch.get_rng_state()
        scores = calling.answers(module, signal)
        draws = not torch.equal(undrawn, torch.get_rng_state())
    state = State(before, snapshot(module))
    state.check()
    state.restore(module, weights.device)
    scores = read(scores, x.shape[1], classes)
    return Run(calling, signal, scores, calls, state, draws)


@contextmanager
def _recorded(module: nn.Module) -> Iterator[dict[str, Calls]]:
    """Yield where the calls of all modules in a module are left."""
    seen: dict[str, Calls] = {}
    with ExitStack() as hooks:
        for path, inner in module.named_modules():
            note = partial(_note, seen, path)
            hooks.enter_context(inner.register_forward_hook(note))
        yield seen


def _note(
    seen: dict[str, Calls], path: str, module: nn.Module, inputs: tuple[Any, ...], output: Any
) -> None:
    calls = seen.setdefault(path, Calls(path, module))
    given = inputs[0] if inputs and isinstance(inputs[0], Tensor) else None
    sent = first(output) if output is not None and output != () else None
    calls.inputs.append(given)
    calls.outputs.append(sent.detach().clone() if isinstance(sent, Tensor) else None)
    calls.handed |= isinstance(output, tuple) and len(output) > 1


def _looped(calls: dict[str, Calls], state: State, batch: int) -> int:
    """Return how many steps layers with a state were shown, as those say that had fewest."""
    counts = []
    for path, one in calls.items():
        if path and (is_neuron(one.module) or one.handed or state.owned(path)):
            x = one.inputs[0]
            at_once = x is not None and x.dim() > 2 and x.shape[1] == batch != x.shape[0]
            counts.append(len(x) if at_once and x is not None else len(one.inputs))
    return min(counts, default=1)


@torch.no_grad()
def check_again(run: Run, network: Callable[[Signal], Tensor]) -> None:
    """Check that a network gives what was seen, twice, and for samples in another order too.

    Raises:
        ConfigError: If it does not: something carries over that was not found, or samples meet.
    """
    signal, batch = run.signal, run.signal.batch
    for _ in range(2):
        if not torch.equal(network(signal), run.scores):
            raise ConfigError(
                "the module answers differently when it is shown the same again: give `reset`, a "
                "function that takes it back to its start"
            )
    frames = signal.data.unflatten(0, (-1, batch)).flip(1).flatten(0, 1)
    alike = torch.isclose(network(signal._replace(data=frames)).flip(1), run.scores, 1e-3, 1e-4)
    if not run.draws and alike.float().mean() < _ALIKE:
        raise ConfigError(
            "what the module says of a sample depends on the others of its batch: expected time as "
            "the first axis and samples as the second; if it takes the samples first, give `run`"
        )


@torch.enable_grad()
def gradients(run: Run, network: nn.Module) -> tuple[bool, bool]:
    """Return whether gradients of what a network gives reach its input, and any of its weights."""
    x = run.signal.data.clone().requires_grad_()
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    try:
        scores = network(run.signal._replace(data=x))
        found = torch.autograd.grad(scores.sum(), [x, *weights], allow_unused=True)
    except RuntimeError:  # nothing to differentiate, or values changed in place
        return False, False
    return found[0] is not None, any(gradient is not None for gradient in found[1:])
