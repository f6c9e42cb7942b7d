"""What every readout keeps."""

from __future__ import annotations

import torch

from spikedoor.snn.readout import Readout
from spikedoor.testing import components
from spikedoor.testing.expect import Check, instance, run, that
from spikedoor.testing.parts import generator

__all__ = ["CHECKS", "check_readout"]


def _drawn(steps: int = 9) -> torch.Tensor:
    return 2 * torch.randn((steps, 4, 5), generator=generator()) + 0.5


def can_be_asked_at_any_time(readout: Readout) -> None:
    """The scores after ``t`` steps of a longer run are those of a run of ``t`` steps."""
    currents = _drawn()
    whole = readout.scores(currents)
    for t in range(1, len(currents) + 1):
        that(torch.equal(readout.scores(currents[:t]), whole[:t]), f"not after {t} of 9 steps")


def keeps_shape_and_type_and_leaves_its_input(readout: Readout) -> None:
    """Scores have the shape and type of the currents, which stay as they are."""
    currents = _drawn()
    scores = readout.scores(currents)
    that(scores.shape == currents.shape, f"of {currents.shape} came {scores.shape}")
    that(scores.dtype == currents.dtype, f"scores of {scores.dtype}")
    that(torch.equal(currents, _drawn()), "the input was changed")


def samples_do_not_meet(readout: Readout) -> None:
    """A sample scores the same alone and among others."""
    currents = _drawn()
    alone, whole = readout.scores(currents[:, 2:3]), readout.scores(currents)[:, 2:3]
    that(torch.allclose(alone, whole, rtol=1.3e-6, atol=1e-5), "other scores alone")


def one_step_keeps_the_order_of_classes(readout: Readout) -> None:
    """After one step, all that an ANN has, a larger current scores no lower."""
    currents = _drawn(1)
    scores, order = readout.scores(currents), currents.argsort(-1)
    that((scores.gather(-1, order).diff(dim=-1) >= 0).all(), "classes change their order")


def last_scores_pass_gradients_to_every_step(readout: Readout) -> None:
    """The last scores have a gradient at each step."""
    currents = _drawn().requires_grad_()
    readout.scores(currents)[-1].sum().backward()
    that(currents.grad is not None, "there is no gradient")
    assert currents.grad is not None
    that((currents.grad.abs().sum((1, 2)) > 0).all(), "a step has none")


def runs_under_inference_mode(readout: Readout) -> None:
    """It runs without gradients, with finite scores."""
    with torch.inference_mode():
        that(readout.scores(_drawn()).isfinite().all(), "scores are not finite")


def an_expanded_view_is_as_good_as_a_copy(readout: Readout) -> None:
    """Currents may be a view of one step, as `Signal.over_time` hands out."""
    view = _drawn(1).expand(6, -1, -1)
    same = torch.equal(readout.scores(view), readout.scores(view.contiguous()))
    that(same, "a view gives other scores")


CHECKS: tuple[Check, ...] = (
    can_be_asked_at_any_time,
    keeps_shape_and_type_and_leaves_its_input,
    samples_do_not_meet,
    one_step_keeps_the_order_of_classes,
    last_scores_pass_gradients_to_every_step,
    runs_under_inference_mode,
    an_expanded_view_is_as_good_as_a_copy,
)


def check_readout(member: Readout | type[Readout]) -> None:
    """Check what readouts keep.

    Raises:
        AssertionError: Naming what it breaks.
    """
    run((*components.CHECKS, *CHECKS), instance(member, Readout))
