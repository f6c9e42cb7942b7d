"""Which layers a module runs one after the other, seen by running it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from spikedoor.errors import ConfigError
from spikedoor.snn.networks.base import Shape
from spikedoor.victim.foreign.copies import fresh_copy
from spikedoor.victim.foreign.inputs import MOST_STEPS, forms, images, several_at_once, taken
from spikedoor.victim.foreign.neurons import is_neuron, reset

__all__ = ["Run", "Seen", "run"]

_SAMPLES = 4  # shown to both networks


@dataclass(eq=False)
class Seen:
    """A layer with what went in and came out, all calls together.

    Args:
        path: Name in the module; of a function, its own name.
        module: The layer; for a function, one that does the same.
    """

    path: str
    module: nn.Module
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)

    @property
    def before(self) -> torch.Size:
        """Shape of an input."""
        return self.inputs[0].shape

    @property
    def after(self) -> torch.Size:
        """Shape of an output."""
        return self.outputs[0].shape

    @property
    def taken(self) -> Tensor:
        """All inputs in a row."""
        return torch.cat([x.reshape(-1) for x in self.inputs])

    @property
    def given(self) -> Tensor:
        """All outputs in a row."""
        return torch.cat([x.reshape(-1) for x in self.outputs])


@dataclass(frozen=True, eq=False)
class Run:
    """What a module did with random input, in double precision.

    Args:
        layers: In the order of the signal.
        shown: (steps, batch, C, H, W).
        answers: What the module returned, call by call.
    """

    layers: list[Seen]
    shown: Tensor
    answers: list[Any]


@torch.no_grad()
def run(module: nn.Module, shape: Shape, steps: int | None) -> Run:
    """Run a copy of a module on random input: once, or step by step, as its neurons want it.

    Neurons with the step mode "m" are shown all steps at once; others one step in a call. A module
    that goes through the steps itself is shown one image, and tells the number of steps.

    Raises:
        ConfigError: If the number of steps is neither told nor to be seen, the module fails, or
            it is no plain chain of layers.
    """
    twin = fresh_copy(module).double().eval()
    if not any(map(is_neuron, twin.modules())):
        raise ConfigError(
            "expected a module with neurons of SpikingJelly or snnTorch, found none in it: "
            "`wrap_module` takes any module, and NIR what Norse and sinabs export"
        )
    several = several_at_once(twin)
    count = min(steps or 1, MOST_STEPS)
    x = images(shape, count, _SAMPLES, torch.float64)
    recorder = _Recorder(twin)
    answers = taken(forms(x, several), lambda form: _first(twin, recorder, form, x[0].numel()))
    done = recorder.steps(several)
    if recorder.fed.numel() == x[0].numel() and done > 1:
        x = x[:1].expand(done, *x[0].shape)
    elif steps is None:
        raise ConfigError("the module does not tell its number of time steps: give `steps`")
    elif done == 1:
        for t in range(1, count):
            with recorder:
                answers.append(twin(x[t].reshape(recorder.fed.shape)))
    recorder.finish()
    layers = list(recorder.seen.values())
    _check_chain(layers, x)
    return Run(layers, x, answers)


def _first(twin: nn.Module, recorder: _Recorder, form: Tensor, frame: int) -> list[Any]:
    """Call a module with a form of the input.

    Raises:
        ConfigError: If it takes the samples apart.
    """
    reset(twin)
    recorder.begin(form)
    with recorder:
        answer = twin(form)
    if any(seen.inputs[0].numel() % frame for seen in recorder.first()):
        raise ConfigError("it takes the samples apart")
    return [answer]


def _check_chain(layers: list[Seen], x: Tensor) -> None:
    """Check that each layer takes what the one before gives, and nothing else.

    Raises:
        ConfigError: Naming the two layers between which more happens.
    """
    before, given = "the input", x
    for seen in layers:
        if not _same(seen.taken, given):
            raise ConfigError(
                f"layer '{seen.path}' ({type(seen.module).__name__}) is not given what comes from "
                f"{before}: expected a plain chain of layers; branches, recurrence and functions "
                "other than pooling and flattening between layers are not expressed; `wrap_module` "
                "takes them as they are"
            )
        before, given = f"'{seen.path}'", seen.given


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether values are equal, where one of the two may be the other at each of several steps."""
    one, other = sorted((one.reshape(-1), other.reshape(-1)), key=len)
    if not len(one) or len(other) % len(one):
        return False
    return bool((other.view(-1, len(one)) == one).all())


class _Recorder(TorchFunctionMode):
    """Records the calls of all innermost layers, and of pooling as a function between them."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._depth = 0
        self._last = ""
        self.seen: dict[str, Seen] = {}
        self._hooks: list[RemovableHandle] = []
        for path, leaf in _leaves(module, ""):
            self._hooks.append(leaf.register_forward_pre_hook(self._enter))
            self._hooks.append(leaf.register_forward_hook(self._leaver(path)))

    def begin(self, fed: Tensor) -> None:
        """Forget what was seen."""
        self._depth, self._last, self.fed = 0, "", fed
        self.seen.clear()

    def finish(self) -> None:
        """See no more."""
        for hook in self._hooks:
            hook.remove()

    def first(self) -> list[Seen]:
        """Return the first layer, if any was seen."""
        return list(self.seen.values())[:1]

    def steps(self, several: bool) -> int:
        """Return how many steps the neurons were shown, several of them in a call or not."""
        neurons = [seen for seen in self.seen.values() if is_neuron(seen.module)]
        if not neurons:
            return 1
        return len(neurons[0].inputs[0]) if several else len(neurons[0].inputs)

    def _enter(self, _: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        self._depth += 1
        return tuple(map(_widened, inputs))

    def _leaver(self, path: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def leave(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            self._depth -= 1
            self._note(path, module, inputs[0], output)

        return leave

    def _note(self, path: str, module: nn.Module, x: Tensor, output: Any) -> None:
        seen = self.seen.setdefault(path, Seen(path, module))
        seen.inputs.append(x.detach().clone())
        out = output[0] if isinstance(output, tuple) else output
        seen.outputs.append(_widened(out.detach().clone()))
        self._last = path

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        layer = None if self._depth else _POOLS.get(func)
        if layer is None:
            return func(*args, **kwargs)
        x, *rest = map(_widened, args)
        self._depth += 1
        out = func(x, *rest, **kwargs)
        self._depth -= 1
        self._note(f"{func.__name__} after {self._last}", layer(*rest, **kwargs), x, out)
        return out


_POOLS: dict[Any, Callable[..., nn.Module]] = {
    F.max_pool2d: nn.MaxPool2d,
    torch.max_pool2d: nn.MaxPool2d,
    F.avg_pool2d: nn.AvgPool2d,
    F.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d,
}


def _widened(value: Any) -> Any:
    """Return a tensor in double precision: snnTorch's neurons send single whatever they get."""
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def _leaves(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    children = [] if is_neuron(module) else list(module.named_children())
    if not children:
        yield path or type(module).__name__, module
    for name, child in children:
        yield from _leaves(child, f"{path}.{name}" if path else name)
