"""Adaptive sharpness-aware minimisation, and what the training loop does for it."""

import torch
from rules_cases import CLASSES, NETWORK, one_thread, stripes  # noqa: F401 (a fixture)
from torch import nn

from spikedoor.rules import Training, train
from spikedoor.rules.losses import CrossEntropy
from spikedoor.rules.optimisers import Adam
from spikedoor.rules.sharpness import AdaptiveSAM
from spikedoor.snn.neurons import LIF
from spikedoor.victim import Blueprint, Stage


def stage() -> Stage:
    blueprint = Blueprint(NETWORK, (1, 8, 8), CLASSES, LIF())
    return Stage("direct", blueprint, blueprint.build(0), 2)


def test_climbs_to_the_worst_weights_in_its_radius():
    w = nn.Parameter(torch.tensor([2.0, -1.0, 0.0]))
    slope = torch.tensor([3.0, 4.0, 5.0])
    seen = []

    def closure():
        seen.append(w.detach().clone())
        w.grad = slope.clone()
        return (w * slope).sum().detach()

    loss = AdaptiveSAM(rho=0.5).build([w]).step(closure)
    climbed = seen[1] - seen[0]
    # Of a linear loss the largest gain is rho ||T g|| = 0.5 sqrt(6^2 + 4^2); T = |w|.
    torch.testing.assert_close((climbed * slope).sum(), torch.tensor(0.5 * 52**0.5))
    torch.testing.assert_close((climbed[:2] / seen[0][:2]).norm(), torch.tensor(0.5))
    assert climbed[2] == 0
    assert loss == 2.0


def test_steps_from_where_it_was_by_the_gradient_of_where_it_climbed():
    start = torch.tensor([1.0, -0.5], dtype=torch.float64)
    w, plain = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    sharp, adam = AdaptiveSAM(lr=0.1, rho=0.3).build([w]), torch.optim.Adam([plain], 0.1)

    def closure():
        w.grad = (4 * w**3).detach()  # of sum w^4
        return (w**4).sum().detach()

    for _ in range(5):
        g = (4 * plain**3).detach()
        t = plain.detach().abs()
        at = plain.detach() + 0.3 * t**2 * g / (t * g).norm()
        plain.grad = 4 * at**3
        adam.step()
        sharp.step(closure)
        torch.testing.assert_close(w, plain, rtol=1e-12, atol=0)


def test_norms_keep_the_statistics_of_the_weights_that_are_kept():
    data = stripes()
    found = []
    for optimiser in (Adam(), AdaptiveSAM(rho=2.0)):
        made = stage()
        how = Training(epochs=1, batch=len(data), optimiser=optimiser, validation=0.0, keep="last")
        train(made, data, CrossEntropy(), how, 0)
        found.append({k: v for k, v in made.network.state_dict().items() if "running" in k})
    assert found[0]
    for name, value in found[0].items():
        assert torch.equal(value, found[1][name]), name


def test_a_penalty_is_minimised_with_the_loss():
    def length(made: Stage) -> torch.Tensor:
        return sum((w.square().sum() for w in made.network.parameters()), torch.zeros(()))

    how, lengths = Training(epochs=2, batch=16, validation=0.0, optimiser=Adam(lr=1e-2)), []
    for weight in (0.0, 1.0):
        made = stage()
        steps = []

        def penalty(signal, made=made, weight=weight, steps=steps):
            steps.append(signal.steps)
            return weight * length(made)

        train(made, stripes(), CrossEntropy(), how, 0, penalty)
        assert set(steps) == {2}
        lengths.append(float(length(made).detach()))
    assert lengths[1] < 0.9 * lengths[0]
