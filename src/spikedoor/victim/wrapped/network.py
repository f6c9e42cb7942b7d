"""A module in the place of a network's blocks: it stays as it is, and its layers are looked at."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar, cast, final

import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn

from spikedoor.errors import ConfigError
from spikedoor.snn.blocks import Head, Normalise
from spikedoor.snn.networks import Architecture, Network
from spikedoor.snn.networks.base import Make, Shape
from spikedoor.snn.signal import Signal
from spikedoor.victim.wrapped.calling import Calling
from spikedoor.victim.wrapped.state import State, seeded
from spikedoor.victim.wrapped.tap import Ears, Place, Tap

__all__ = ["Answer", "Wrapped", "WrappedModule", "network_of"]


@final
class WrappedModule(nn.Module):
    """A module with taps on its layers; before and after a run it is at its start.

    What it draws at random it draws from a generator of its own: the same in each run of
    evaluation, something else in each of training.

    Args:
        module: The module, ours to run.
        calling: How.
        state: What it carries from step to step.
        places: Of the layers to look at.
        normalise: What comes before it.
        reset: Called before each run, besides.
    """

    def __init__(
        self,
        module: nn.Module,
        calling: Calling,
        state: State,
        places: tuple[Place, ...],
        normalise: Normalise | None = None,
        reset: Callable[[nn.Module], object] | None = None,
    ) -> None:
        super().__init__()
        self.module, self.normalise = module, normalise
        self._calling, self._state, self._reset = calling, state, reset
        self.to_input = self.to_weights = True
        """Whether gradients reach them."""
        self._trained = 0
        self.layers = nn.Module()
        for place in places:
            *parents, name = place.path.split(".")
            at = self.layers
            for parent in parents:
                if parent not in at._modules:
                    at.add_module(parent, nn.Module())
                at = cast(nn.Module, at._modules[parent])
            at.add_module(name, Tap(place))

    def forward(self, signal: Signal) -> Signal:
        self._check_gradients(signal.data)
        taps = [tap for tap in self.layers.modules() if isinstance(tap, Tap)]
        shown = signal if self.normalise is None else self.normalise(signal)
        with self._afresh(signal.data.device), ExitStack() as hooks:
            heard = [
                hooks.enter_context(tap.listening(self.module.get_submodule(tap.place.path)))
                for tap in taps
            ]
            scores = self._calling.answers(self.module, shown)
        for ears in heard:
            ears.tell(self.module, signal.steps, signal.batch)
        return signal._replace(data=scores.flatten(0, 1))

    def _check_gradients(self, inputs: Tensor) -> None:
        """Refuse to be differentiated where nothing would come of it.

        Raises:
            ConfigError: If a gradient to the input, or to the weights in training, is lost.
        """
        lost = (inputs.requires_grad and not self.to_input) or (
            self.training and not self.to_weights
        )
        if lost and torch.is_grad_enabled():
            raise ConfigError(
                f"the wrapped module '{type(self.module).__name__}' lets no gradient through: its "
                "spikes need a surrogate derivative, as the neurons of both libraries have"
            )

    @contextmanager
    def _afresh(self, device: torch.device) -> Iterator[None]:
        """Run the block with the module at its start, where it is when the block is done."""
        self._trained += self.training
        with seeded(self._trained if self.training else 0, device):
            if self._reset is not None:
                self._reset(self.module)
            try:
                yield
            finally:
                self._state.restore(self.module, device)

    def bare(self) -> nn.Module:
        """Return the module, with hooks that silence the channels that are pruned."""
        for tap in self.layers.modules():
            if isinstance(tap, Tap) and bool((tap.weight != 1).any()):
                layer = self.module.get_submodule(tap.place.path)
                layer.register_forward_hook(Ears(tap, opened=False).after)
        return self.module


@final
class Answer(nn.Module):
    """In the place of a head: what the module answers is what the head gives.

    Args:
        wrapped: The module.
        path: Of its last linear layer, if that has an output for each class.
    """

    def __init__(self, wrapped: WrappedModule, path: str | None) -> None:
        super().__init__()
        self._wrapped, self._path = (wrapped,), path  # a tuple, so that it is no child twice

    @property
    def layer(self) -> nn.Linear:
        """The last linear layer.

        Raises:
            ConfigError: If the module has none that speaks for the classes.
        """
        if self._path is None:
            raise ConfigError(
                "the wrapped module has no last linear layer with an output for each class, whose "
                "weights could be looked at"
            )
        return cast(nn.Linear, self._wrapped[0].module.get_submodule(self._path))

    def forward(self, signal: Signal) -> Signal:
        return signal


def network_of(wrapped: WrappedModule, head: str | None) -> Network:
    """Return the network of a wrapped module and the path of its last linear layer."""
    return Network([wrapped], cast(Head, Answer(wrapped, head)))


@final
class Wrapped(Architecture):
    """The plan of a wrapped module, which is code that only its owner has.

    This is where it is said what such a plan cannot do.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    in_pieces: ClassVar[bool] = False

    network: Network = Field(repr=False)
    """The network as it was wrapped."""

    def build(self, shape: Shape, classes: int, activation: Make, seed: int | None) -> Network:
        """Return a copy of the network as it was wrapped.

        Raises:
            ConfigError: If fresh weights, or an ANN, are asked for.
        """
        del shape, classes, activation
        if seed is not None:
            raise ConfigError(
                f"{self._name()} cannot be built anew with fresh weights, as abl-isolation asks "
                "for: how that is done is known to its owner only"
            )
        return copy.deepcopy(self.network)

    def _plan(self, shape: Shape, classes: int, activation: Make) -> Network:
        return self.build(shape, classes, activation, None)

    def to_dict(self) -> dict[str, Any]:
        """Refuse: the module's class is code, and no file of ours has code.

        Raises:
            ConfigError: With what to do in place of it.
        """
        raise ConfigError(
            f"{self._name()} is code and cannot be described in a file; keep its weights by "
            "safetensors.torch.save_file(stage.network.state_dict(), FILE), and to load them wrap "
            "the module again, then stage.network.load_state_dict(load_file(FILE))"
        )

    def _name(self) -> str:
        wrapped = cast(WrappedModule, self.network.blocks[0])
        return f"the wrapped module '{type(wrapped.module).__name__}'"
