"""What every encoding of images keeps."""

from __future__ import annotations

import torch

from spikedoor.snn.encoding import Encoding
from spikedoor.testing import components
from spikedoor.testing.expect import Check, instance, run, that
from spikedoor.testing.parts import generator

__all__ = ["CHECKS", "check_encoding"]


def _images(count: int = 5) -> torch.Tensor:
    return torch.rand((count, 2, 4, 3), generator=generator(7))


def gives_a_signal_over_time_in_the_range_of_images(encoding: Encoding) -> None:
    """It gives as many frames as steps, of the input's shape and type, in [0, 1]."""
    for steps in (1, 6):
        given = _images()
        signal = encoding.encode(given, steps, generator())
        that((signal.steps, signal.batch) == (steps, 5), "other steps or samples came out")
        frames = signal.over_time()
        that(frames.shape == (steps, 5, 2, 4, 3), f"frames {tuple(frames.shape)}")
        that(frames.dtype == given.dtype, f"frames of {frames.dtype}")
        that(frames.min() >= 0 and frames.max() <= 1, "frames outside [0, 1]")
        that(torch.equal(given, _images()), "the input was changed")


def its_mean_over_time_is_the_image(encoding: Encoding) -> None:
    """Over many steps its mean is the image, within six deviations of Bernoulli draws."""
    steps = 4000
    frames = encoding.encode(_images(), steps, generator()).over_time()
    off = float((frames.mean(0) - _images()).abs().max())
    that(off < 6 * 0.5 / steps**0.5, f"off by {off:.3g}")


def draws_from_the_generator_alone(encoding: Encoding) -> None:
    """Equal generators give equal signals; torch's global one is left alone."""
    state = torch.get_rng_state()
    one = encoding.encode(_images(), 6, generator(1)).over_time()
    untouched = torch.equal(torch.get_rng_state(), state)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        again = encoding.encode(_images(), 6, generator(1)).over_time()
    that(untouched, "the global generator was used")
    that(torch.equal(one, again), "equal generators give other signals")


def black_is_silent_and_white_is_full(encoding: Encoding) -> None:
    """A black image gives 0 at every step, a white one 1."""
    black = encoding.encode(torch.zeros(3, 1, 8, 8), 50, generator()).data
    white = encoding.encode(torch.ones(3, 1, 8, 8), 50, generator()).data
    that(black.max() == 0, f"black gives up to {float(black.max()):g}")
    that(white.min() == 1, f"white gives down to {float(white.min()):g}")


CHECKS: tuple[Check, ...] = (
    gives_a_signal_over_time_in_the_range_of_images,
    its_mean_over_time_is_the_image,
    draws_from_the_generator_alone,
    black_is_silent_and_white_is_full,
)


def check_encoding(member: Encoding | type[Encoding]) -> None:
    """Check what encodings keep; of one that takes no images, what components keep.

    Raises:
        AssertionError: Naming what it breaks.
    """
    encoding = instance(member, Encoding)
    own = CHECKS if "image" in encoding.modalities else ()
    run((*components.CHECKS, *own), encoding)
