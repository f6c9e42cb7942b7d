"""What every surrogate derivative keeps."""

from __future__ import annotations

import math

import torch

from spikedoor.snn.dynamics import Dynamics
from spikedoor.snn.kernels import Backend, compiled, fire, use
from spikedoor.snn.surrogate import Surrogate
from spikedoor.testing import components
from spikedoor.testing.expect import Check, instance, refused, run, that
from spikedoor.testing.parts import with_fields

__all__ = ["CHECKS", "check_surrogate"]


def is_even_and_largest_at_the_threshold(surrogate: Surrogate) -> None:
    """One of the membrane is even, never negative, and falls with the distance to the threshold."""
    if surrogate.timed:
        return
    z = torch.linspace(0, 20, 2001, dtype=torch.float64)
    right, left = surrogate.derivative(z), surrogate.derivative(-z)
    that(torch.allclose(left, right, rtol=0, atol=1e-12), "it is not even")
    that((right >= 0).all(), "it is negative somewhere")
    that(right[0] > 0, "it is 0 at the threshold")
    that((right.diff() <= 1e-12).all(), "it grows with the distance")


def keeps_shape_and_type(surrogate: Surrogate) -> None:
    """It keeps shape and type of the membranes, which stay as they are."""
    for dtype in (torch.float32, torch.float64):
        z = torch.linspace(-1, 1, 12, dtype=dtype).view(3, 4)
        before = z.clone()
        found = surrogate.derivative(z)
        that(found.shape == z.shape, f"of {z.shape} came {found.shape}")
        that(found.dtype == dtype, f"of {dtype} came {found.dtype}")
        that(torch.equal(z, before), "the input was changed")


def reaches_the_input_in_units_of_the_threshold(surrogate: Surrogate) -> None:
    """For an IF neuron's step, ``ds/dx = derivative((x - threshold) / threshold) / threshold``."""
    backends: list[Backend] = ["eager", "torch"]
    if compiled.available():
        backends.append("compiled")
    for threshold in (1.0, 0.02, 50.0):
        for backend in backends:
            x = threshold * (1 + torch.linspace(-9, 9, 173)).view(1, -1)
            x.requires_grad_()
            with use(backend):
                fire(x, 1, 1, Dynamics(threshold=threshold, surrogate=surrogate)).sum().backward()
            z = (x.detach().double() - threshold) / threshold
            expected = (surrogate.derivative(z) / threshold).float()
            assert x.grad is not None
            near = torch.allclose(x.grad, expected, rtol=2e-5, atol=2e-6 / threshold)
            that(near, f"another gradient at the threshold {threshold:g}, back end '{backend}'")


def refuses_a_sharpness_that_is_none(surrogate: Surrogate) -> None:
    """Each field is a number above 0; others are refused by name."""
    for field in type(surrogate).model_fields:
        for wrong in (0.0, -1.0, math.inf, math.nan, "steep"):
            with refused(f"{field} = {wrong}", f"{surrogate.name}: {field}: .*got"):
                with_fields(surrogate, **{field: wrong})


CHECKS: tuple[Check, ...] = (
    is_even_and_largest_at_the_threshold,
    keeps_shape_and_type,
    reaches_the_input_in_units_of_the_threshold,
    refuses_a_sharpness_that_is_none,
)


def check_surrogate(member: Surrogate | type[Surrogate]) -> None:
    """Check what surrogates keep, on every back end that there is.

    Raises:
        AssertionError: Naming what it breaks.
    """
    run((*components.CHECKS, *CHECKS), instance(member, Surrogate))
