"""A layer of a module as others see it: what it sends on, and a gain on each channel of that."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, final

import torch
from torch import Tensor, nn

from spikedoor.errors import ConfigError
from spikedoor.snn.activations import Activation

__all__ = ["Ears", "Place", "Shown", "Source", "Tap", "first", "replay", "stacked"]

_NEVER = 1e9  # a threshold; an endless one would make 0 times itself

Source = Literal["replay", "mem", "input"]
"""Where a membrane before the reset is seen: in SpikingJelly's neurons by `replay`; in ``mem`` of
snnTorch's, which reset one step late; for a rectifier, in the input."""


@dataclass(frozen=True)
class Place:
    """Where a layer is, and how it stands in time.

    Args:
        path: In the module.
        shape: Of a frame of what it sends on, (C, H, W) or (C,).
        at_once: Whether a call has all steps on an axis of their own.
        height: What a spike sends on; 1 where spikes are of several heights.
        source: Where its membrane is seen, None if nowhere.
        why: Why nowhere.
    """

    path: str
    shape: tuple[int, ...]
    at_once: bool
    height: float
    source: Source | None
    why: str = ""


class Shown(NamedTuple):
    """What a layer did in a run, each (steps, batch, ...) as of `Traces`.

    Args:
        spikes: What it sent on, in units of a spike.
        current: What it was given.
        membranes: Makes the membrane before the reset, which takes time; None where it is not seen.
    """

    spikes: Tensor
    current: Tensor
    membranes: Callable[[], Tensor] | None


@final
class Tap(Activation):
    """What is known of a layer that stays where it is, and is no part of our network.

    In each run it is called with what the layer did, so that hooks see it; nothing depends on that.
    The gain ``weight`` [C] is on what each channel sends on; 0 takes a channel out.
    """

    weight: Tensor
    bias = None

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.register_buffer("weight", torch.ones(place.shape[0]))

    @property
    def amplitude(self) -> float:
        """Height of a spike."""
        return self.place.height

    @property
    def maps(self) -> bool:
        """Whether its channels are maps."""
        return len(self.place.shape) == 3

    def membrane_of(self, shown: Shown) -> Tensor:
        """Return the membrane before the reset.

        Raises:
            ConfigError: If the layer does not show it.
        """
        if shown.membranes is None:
            raise ConfigError(
                f"layer '{self.place.path}' of the wrapped module shows no membrane: "
                f'{self.place.why}; expected "activation", "rate" or "current"'
            )
        return shown.membranes()

    def forward(self, shown: Shown) -> Shown:  # pyright: ignore[reportIncompatibleMethodOverride]
        return shown

    @contextmanager
    def listening(self, layer: nn.Module) -> Iterator[Ears]:
        """Put the gain on what the layer sends, and hear what it does where somebody asks."""
        ears = Ears(self, bool(self._forward_pre_hooks) or self.observer is not None)
        with ExitStack() as hooks:
            if ears.open:
                hooks.enter_context(layer.register_forward_pre_hook(ears.before))
            if ears.open or self.weight.requires_grad or bool((self.weight != 1).any()):
                hooks.enter_context(layer.register_forward_hook(ears.after))
            yield ears


class Ears:
    """Hears the calls of a layer during one run."""

    def __init__(self, tap: Tap, opened: bool) -> None:
        self._tap, self.open = tap, opened
        self._given: list[Tensor] = []
        self._sent: list[Tensor] = []
        self._membranes: list[Tensor] = []

    def before(self, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Keep what the layer is given; a hook before a call."""
        x: Tensor = inputs[0]
        self._given.append(x.clone() if getattr(layer, "inplace", False) else x)

    def after(self, layer: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Keep what the layer sends on, and return it with the gain; a hook after a call."""
        sent = first(output)
        if self.open:
            self._sent.append(sent)
            if self._tap.place.source == "mem":
                self._membranes.append(layer.mem)
        sent = sent * self._gain(1 + self._tap.place.at_once)
        return (sent, *output[1:]) if isinstance(output, tuple) else sent

    def tell(self, module: nn.Module, steps: int, batch: int) -> None:
        """Call the tap with what was heard, if anybody asked; the module is at its start."""
        if not self.open:
            return
        tap, place = self._tap, self._tap.place

        given, fired = (stacked(x, place.at_once, steps, batch) for x in (self._given, self._sent))
        sent = fired * self._gain(2)
        membranes: dict[Source | None, Callable[[], Tensor]] = {
            "replay": lambda: replay(module.get_submodule(place.path), given, fired),
            "mem": lambda: torch.cat(self._membranes).view(fired.shape),
            "input": lambda: given,
        }
        if tap.observer is not None:
            tap.observer(sent.flatten(0, 1))
        tap(Shown(sent / place.height, given, membranes.get(place.source)))

    def _gain(self, lead: int) -> Tensor:
        """Return the gain as it goes with frames behind some axes."""
        return self._tap.weight.view(*[1] * lead, -1, *[1] * (len(self._tap.place.shape) - 1))


def replay(layer: Any, given: Tensor, fired: Tensor) -> Tensor:
    """Return the membrane before the reset of neurons of SpikingJelly, by its own step.

    The step keeps the membrane after the reset only. So it is done again, from the same currents,
    with a threshold that is never reached, and what is then in its place is reset by the spikes.

    Args:
        layer: The neurons, at their start.
        given: Currents, (steps, batch, ...).
        fired: Spikes, likewise.
    """
    twin = copy.copy(layer)  # with the same weights
    twin.__dict__["_memories"] = dict(layer._memories)
    twin.v_threshold, twin.store_v_seq = _NEVER, False
    found = []
    for current, spikes in zip(given, fired, strict=True):
        twin.single_step_forward(current)
        found.append(twin.v)
        spikes = spikes.detach() if layer.detach_reset else spikes
        if layer.v_reset is None:
            twin.v = twin.v - layer.v_threshold * spikes
        else:
            twin.v = (1 - spikes) * twin.v + layer.v_reset * spikes
    return torch.stack(found)


def stacked(calls: Sequence[Tensor], at_once: bool, steps: int, batch: int) -> Tensor:
    """Return what a layer had in its calls, (steps, batch, ...)."""
    frames = torch.cat([x.reshape(-1, *x.shape[1 + at_once :]) for x in calls])
    return frames.unflatten(0, (steps, batch))


def first(output: Any) -> Tensor:
    """Return what a layer sends on, where it gives its state beside it."""
    return output[0] if isinstance(output, tuple) else output
