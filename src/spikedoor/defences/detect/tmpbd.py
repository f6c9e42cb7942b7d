"""A backdoor lets the voltage of its class run further ahead than any other class's can."""

from __future__ import annotations

import math
from functools import cache
from typing import cast, final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from spikedoor.defences.base import DEFENCES, Detection, ModelDetector
from spikedoor.defences.defender import Defender
from spikedoor.defences.detect.reverse import differentiable, event_unit
from spikedoor.progress import bar
from spikedoor.rng import generator, torch_generator
from spikedoor.snn.encoding import Frames
from spikedoor.victim import Stage

__all__ = ["TMPBD", "critical_level", "p_values"]

_PIXELS = 2048 * 32 * 32  # differentiated at once: pixels of all steps
_SHAPE, _DRAWS = 50.0, 10_000  # of the Gamma law of clean margins, and simulated models


@final
@DEFENCES.register("tmpbd", source="Li et al. 2025, TMPBD", link="https://arxiv.org/abs/2510.06629")
class TMPBD(ModelDetector):
    """Find for each class the input with the largest margin of voltage, and compare the margins.

    ``r_k = max over x of v_k(x) - max over j != k of v_j(x)``, with v the mean over time of the
    current into the outputs: what an output that never fires gains in voltage at a step. Inputs
    start as noise and stay in the range of samples. A Gamma law is fitted to all margins but the
    largest; ``p_k = 1 - F(r_k)^K`` is how likely the largest of K margins of that law is above that
    of class k. The score is ``-log10 p_k``. Of an ANN, v are the logits (MM-BD).

    Needs: nothing but the model; the defender's samples say only what form an input has.
    Looks at: voltage of the outputs, and surrogate gradients of them.
    Fails: where the target's margin is not the largest, or hardly so, as of small networks, whose
    natural classes differ in how far their voltage can run. With few classes the fit leaves out
    what would have made it wide: at the published level of 0.05 it accuses 1 in 4 clean networks of
    ten classes even if their margins are of a Gamma law. Details have ``critical``, the level at
    which it would be 1 in 20 (docs/defences.md has numbers). One finding alone is no evidence.

    Deviations:
        Adam in place of SGD whose momentum is lost at each step, and fewer steps; eval mode, as
        training mode makes margins depend on the other inputs. Images stay in [0, 1]; only counts
        of events in the authors' [0, 10]. Currents into the outputs in place of membranes of output
        neurons, which not all readouts have. The Gamma law starts at 0.

    References:
        Wang et al. 2022, MM-BD: post-training detection of backdoor attacks with arbitrary backdoor
        pattern types using a maximum margin statistic, https://arxiv.org/abs/2205.06900
    """

    starts: int = Field(3, ge=1)
    """Inputs from which each class is searched."""
    steps: int = Field(200, ge=1)
    """Steps of Adam."""
    lr: float = Field(0.1, gt=0)
    """Learning rate, in units of the range of an input."""
    most: float = Field(10.0, gt=0)
    """On events: largest count of a pixel, polarity and step."""
    level: float = Field(0.05, gt=0, lt=1)
    """p value below which a class is flagged."""

    def detect(self, stage: Stage, defender: Defender) -> Detection:
        """Return -log10 of the p value of each class's margin."""
        stage.network.eval()
        margins = self._margins(stage, defender)
        names = stage.blueprint.classes
        details = {
            "margins": dict(zip(names, margins.tolist(), strict=True)),
            "critical": critical_level(len(names)),
        }
        return Detection(-np.log10(p_values(margins)), -math.log10(self.level), details)

    @torch.enable_grad()
    def _margins(self, stage: Stage, defender: Defender) -> NDArray[np.float64]:
        """Return the largest margin of each class, over starts and steps."""
        sample = stage.prepare(defender.clean.batch(np.zeros(1, dtype=np.int64)))
        top = 1.0
        if isinstance(stage.encoding, Frames):
            top = self.most * event_unit(stage, defender.clean)
        device, count = stage.device, len(stage.blueprint.classes)
        random = torch_generator(defender.seed, f"{self.name} noise", device)
        shape = count, self.starts, *sample.shape[1:]
        shown = torch.rand(shape, generator=random, device=device).requires_grad_()
        adam = torch.optim.Adam([shown], self.lr)
        best = torch.full((count,), -math.inf, device=device)
        together = max(_PIXELS // (stage.steps * self.starts * sample[:, :1].numel()), 1)
        with bar(self.name, self.steps) as advance:
            for _ in range(self.steps):
                adam.zero_grad()
                found = []
                for k in range(0, count, together):
                    inputs = (top * shown[k : k + together]).flatten(0, 1)
                    signal = differentiable(stage, inputs, random, cast("str", self.name))
                    found.append(_margin(stage.network(signal).mean(0), k, self.starts))
                    (-found[-1].sum()).backward(inputs=[shown])
                best = torch.maximum(best, torch.cat(found).detach().amax(1))
                adam.step()
                with torch.no_grad():
                    shown.clamp_(0, 1)
                advance()
        return best.double().cpu().numpy()


def _margin(voltage: Tensor, first: int, starts: int) -> Tensor:
    """Return how far each input's own class is ahead, [k, starts], of voltages [k starts, K]."""
    voltage = voltage.unflatten(0, (-1, starts))
    own = torch.arange(first, first + len(voltage), device=voltage.device)
    mine = torch.nn.functional.one_hot(own, voltage.shape[2]).bool()[:, None]
    rest = voltage.masked_fill(mine, -math.inf).amax(2)
    return voltage.masked_fill(~mine, 0).sum(2) - rest


def p_values(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each of K margins how likely the largest of K is above it.

    They are of the Gamma law that all but the largest follow best (maximum likelihood, from 0 on);
    a margin of 0 or less counts as next to nothing. Never less than 1e-300.
    """
    from scipy.stats import gamma

    kept = np.maximum(margins, 1e-9)
    null = np.delete(kept, int(kept.argmax()))
    # Equal margins have no law of positive width; this one is as good as a point.
    shape, _, scale = gamma.fit(null, floc=0) if np.ptp(null) > 0 else (1e6, 0, null[0] / 1e6)
    above = gamma.sf(kept, shape, scale=scale)
    return np.maximum(-np.expm1(len(kept) * np.log1p(-np.minimum(above, 1 - 1e-16))), 1e-300)


@cache
def critical_level(classes: int, alarms: float = 0.05) -> float:
    """Return the level below which this share of clean models has a p value.

    Their K margins are taken to be of one Gamma law; of which matters next to nothing (for ten
    classes: 0.0008 for a shape of 2, 0.0009 for one of 1000). By simulation, always with the same
    draws.
    """
    drawn = generator(0, "null of the margins").gamma(_SHAPE, size=(_DRAWS, classes))
    return float(np.quantile([p_values(margins).min() for margins in drawn], alarms))
