"""What every architecture keeps, as ANN and as SNN."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from spikedoor.snn.activations import Activation, Rectifier
from spikedoor.snn.networks import Architecture, Network
from spikedoor.snn.neurons import LIF, PLIF
from spikedoor.snn.signal import Signal
from spikedoor.testing import components
from spikedoor.testing.expect import Check, instance, refused, run, that
from spikedoor.testing.parts import generator

__all__ = ["CHECKS", "check_network"]

_CLASSES, _BATCH, _STEPS = 7, 2, 3
_KINDS: dict[str, Callable[[], Activation]] = {
    "ann": Rectifier,
    "lif": lambda: LIF().build(),
    "plif": lambda: PLIF().build(),
}
_SQUARES = [(3, 8, 8), (1, 28, 28), (3, 32, 32), (2, 34, 34), (3, 128, 128)]
_OTHERS = [(1, 8, 128), (2, 33, 21), (3, 128, 96), (1, 9, 8)]


def _built(
    plan: Architecture, kind: str, seed: int = 5, shape: tuple[int, int, int] = (1, 28, 28)
) -> Network:
    return plan.build(shape, _CLASSES, _KINDS[kind], seed)


def _signal(shape: tuple[int, int, int], steps: int) -> Signal:
    return Signal(torch.rand((_BATCH, *shape), generator=generator()), steps, _BATCH)


def _weights(plan: Architecture, kind: str, seed: int) -> dict[str, torch.Tensor]:
    """Return all that is drawn: parameters of layers, not of neurons or norms."""
    parameters = _built(plan, kind, seed).named_parameters()
    return {name: value for name, value in parameters if ".layer." in name or "head" in name}


def scores_every_class_at_every_step(plan: Architecture) -> None:
    """Frames of 8 to 128 px, square or not, give finite scores of each class at each step."""
    for kind, steps in (("ann", 1), ("lif", _STEPS)):
        for shape in (*_SQUARES, *_OTHERS):
            network = _built(plan, kind, shape=shape).eval()
            with torch.inference_mode():
                out = network(_signal(shape, steps))
            that(out.shape == (steps, _BATCH, _CLASSES), f"{kind} on {shape}: {tuple(out.shape)}")
            that(out.dtype == torch.float32, f"{kind} on {shape}: {out.dtype}")
            that(out.isfinite().all(), f"{kind} on {shape}: not finite")


def seed_decides_the_weights(plan: Architecture) -> None:
    """Equal seeds give equal weights, in ANN and SNN; other seeds give others."""
    one, again, other = (_weights(plan, "ann", seed) for seed in (5, 5, 6))
    for name in one:
        that(torch.equal(one[name], again[name]), f"equal seeds give another {name}")
        that(not torch.equal(one[name], other[name]), f"another seed gives the same {name}")
    for kind in ("lif", "plif"):
        spiking = _weights(plan, kind, 5)
        that(one.keys() == spiking.keys(), f"ANN and {kind} have weights of other names")
        same = all(torch.equal(one[name], spiking[name]) for name in one)
        that(same, f"ANN and {kind} of a seed have other weights")


def ann_weights_load_into_the_snn(plan: Architecture) -> None:
    """An ANN's state is that of the SNN, but for the numbers of neurons."""
    ann, snn = _built(plan, "ann", 1), _built(plan, "lif", 2)
    missing, unexpected = snn.load_state_dict(ann.state_dict(), strict=False)
    that(not unexpected, f"the SNN does not know {unexpected}")
    left = {name.rsplit(".", 1)[1] for name in missing}
    that(left <= {"threshold", "amplitude", "initial"}, f"the ANN does not have {left}")


def weights_are_uniform_within_one_over_root_fan_in(plan: Architecture) -> None:
    """A uniform variable within ±b has standard deviation ``b / sqrt(3)``."""
    for name, value in _weights(plan, "ann", 5).items():
        if value.dim() > 1:
            bound = value[0].numel() ** -0.5
            that(value.abs().max() <= bound, f"{name} goes beyond {bound:.3g}")
            if value.numel() > 2000:
                wide = value.std().item() / (bound / 3**0.5)
                that(abs(wide - 1) < 0.05, f"{name} deviates {wide:.3g} times as much")


def building_leaves_global_generators_alone(plan: Architecture) -> None:
    """The global generators of torch and NumPy are not used."""
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index] # noqa: NPY002
    for kind in ("ann", "lif"):
        _built(plan, kind)
    that(torch.equal(torch.get_rng_state(), before[0]), "torch's was used")
    that((np.random.get_state()[1] == before[1]).all(), "NumPy's was used")  # type: ignore[index] # noqa: NPY002


def gradients_reach_every_parameter(plan: Architecture) -> None:
    """A loss of the scores has a gradient at every parameter."""
    for kind, steps in (("ann", 1), ("lif", _STEPS)):
        network = _built(plan, kind)
        network(_signal((1, 28, 28), steps)).sum().backward()
        without = [name for name, value in network.named_parameters() if value.grad is None]
        that(not without, f"none at {', '.join(without)}")


def no_activation_is_used_twice(plan: Architecture) -> None:
    """Each activation that is made stands in one place."""
    made: list[Activation] = []

    def make() -> Activation:
        made.append(Rectifier())
        return made[-1]

    network = plan.build((1, 28, 28), _CLASSES, make, 5)
    placed = [module for module in network.modules() if isinstance(module, Activation)]
    that(len(placed) == len(made) == len({id(m) for m in placed}), f"{len(made)} in {len(placed)}")


def refuses_frames_too_small_or_too_large(plan: Architecture) -> None:
    """Frames outside of 8 to 128 px are refused."""
    for shape in ((1, 4, 4), (3, 200, 200), (1, 7, 28), (1, 28, 129)):
        found = f"{shape[1]}x{shape[2]}"
        with refused(f"frames of {found}", f"'{plan.name}' takes frames of 8 to 128 px.* {found}"):
            plan.build(shape, _CLASSES, Rectifier, 0)


CHECKS: tuple[Check, ...] = (
    scores_every_class_at_every_step,
    seed_decides_the_weights,
    ann_weights_load_into_the_snn,
    weights_are_uniform_within_one_over_root_fan_in,
    building_leaves_global_generators_alone,
    gradients_reach_every_parameter,
    no_activation_is_used_twice,
    refuses_frames_too_small_or_too_large,
)


def check_network(member: Architecture | type[Architecture]) -> None:
    """Check what architectures keep; give one that is narrow, it is built many times.

    Raises:
        AssertionError: Naming what it breaks.
    """
    run((*components.CHECKS, *CHECKS), instance(member, Architecture))
