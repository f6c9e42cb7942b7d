"""NAD: what attention is. I-BAU: the hypergradient against its closed form."""

import math

import numpy as np
import pytest
import torch
from defence_cases import case, weights
from torch import nn

from spikedoor.defences.eliminate import IBAU, NAD, FineTuning
from spikedoor.defences.eliminate.base import TRAINING
from spikedoor.defences.eliminate.i_bau import _Loss
from spikedoor.errors import ConfigError
from spikedoor.rng import torch_generator
from spikedoor.snn.convolution import _SmallMaps
from spikedoor.snn.encoding import Poisson
from spikedoor.snn.kernels import use
from spikedoor.victim import Stage
from spikedoor.victim.features import layer_features
from spikedoor.victim.watched import watched

SHORT = TRAINING.model_copy(update={"epochs": 2})


class TestAttention:
    def test_by_hand(self):
        maps = torch.tensor([[[[1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [0.0, -1.0]]]])
        # Squares summed over the channels: 2, 1, 0, 5.
        wanted = torch.tensor([[2.0, 1.0, 0.0, 5.0]]) / math.sqrt(30)
        torch.testing.assert_close(NAD()._attention(maps), wanted)

    @pytest.mark.parametrize("what", ["activation", "membrane"])
    @pytest.mark.parametrize("rule", ["direct", "conversion", "hybrid", "ann"])
    def test_layers_are_seen_as_a_probe_sees_them(self, what, rule):
        shown = case("conversion" if rule == "ann" else rule)
        stage = shown.victim.stages[0] if rule == "ann" else shown.stage
        data = shown.data.test.subset(np.arange(8))
        probed = layer_features(stage, data, what)
        paths = [name for name in probed if name != "head"]
        _, inputs, noise = next(stage.batches(data))
        with torch.no_grad(), watched(stage.network, paths, what) as seen:
            stage.network(stage.encode(inputs, noise))
        for path in paths:
            found = seen[path].flatten(1).numpy()
            np.testing.assert_allclose(found, probed[path], rtol=1e-3, atol=2e-4)

    def test_without_weight_it_is_fine_tuning(self):
        shown = case("direct")
        made = NAD(beta=0.0, training=SHORT).repair(shown.stage, shown.defender())
        plain = FineTuning(training=SHORT).repair(shown.stage, shown.defender())
        found = weights(plain)
        assert all(np.array_equal(v, found[k]) for k, v in weights(made).items())

    @pytest.mark.parametrize("what", ["activation", "membrane"])
    def test_the_student_comes_to_look_where_its_teacher_looks(self, what):
        shown, path = case("direct"), "blocks.1.activation"
        defender = shown.defender()
        data = shown.data.train.subset(np.arange(64))

        def attention(stage: Stage) -> torch.Tensor:
            _, inputs, noise = next(stage.batches(data))
            with torch.no_grad(), watched(stage.network, [path], what) as seen:
                stage.network(stage.encode(inputs, noise))
            return NAD()._attention(seen[path])

        training = TRAINING.model_copy(update={"epochs": 30})
        teacher = attention(FineTuning(training=training).repair(shown.stage, defender))
        apart = []
        for beta in (0.0, 1e4):
            method = NAD(beta=beta, layers=(path,), looks_at=what, training=training)
            # A teacher of its own: with beta 0 the student would be the teacher.
            made = method.repair(shown.stage, defender) if beta else shown.stage
            apart.append(float((attention(made) - teacher).square().mean()))
        assert apart[1] < 0.7 * apart[0], apart

    def test_refuses_layers_without_maps(self):
        shown = case("direct")
        with pytest.raises(ConfigError, match=r"blocks\.3\.activation"):
            NAD(layers=("blocks.3.activation",)).repair(shown.stage, shown.defender())


class Line(_Loss):
    """``mean (w (x + d) - y)^2 / 2`` in one dimension."""

    def __init__(self, w: float) -> None:
        self.scale = 1.0
        self.weights = [nn.Parameter(torch.tensor(w, dtype=torch.float64))]

    def __call__(self, inputs, labels):
        return (self.weights[0] * inputs[:, 0] - labels).square().mean() / 2


class TestHypergradient:
    def test_is_the_closed_form(self):
        w, d, decay = 0.7, 0.4, 1.5
        x = torch.tensor([[0.2], [1.0], [-0.5]], dtype=torch.float64)
        y = torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64)
        loss = Line(w)
        method = IBAU(decay=decay, share=1.0, iterations=200, inner_rate=0.3)
        told = method._learn(loss, x, y, torch.tensor([[d]], dtype=torch.float64))
        error, moved = w * (x[:, 0] + d) - y, x[:, 0] + d
        of_d, of_w = w * error.mean(), (error * moved).mean()
        mixed = error.mean() + w * moved.mean()
        # Where d settles, dd/dw = mixed / (2 decay - w^2).
        wanted = of_w + of_d * mixed / (2 * decay - w**2)
        torch.testing.assert_close(loss.weights[0].grad, wanted, rtol=1e-9, atol=0)
        assert told == pytest.approx(float(error.square().mean() / 2))

    def test_the_perturbation_raises_the_loss_within_its_ball(self):
        shown = case("direct")
        stage, data = shown.stage, shown.defender().clean
        loss, method = _Loss(stage, torch_generator(0, "test")), IBAU()
        inputs, labels = loss.inputs(data.batch(np.arange(64))), torch.tensor(data.labels[:64])
        d = None
        with use("eager"):
            for _ in range(4):
                d = method._ascended(loss, inputs, labels, d)
            assert d is not None
            zero = torch.zeros_like(d, requires_grad=True)
            assert loss(inputs + d.requires_grad_(), labels) > 1.5 * loss(inputs + zero, labels)
        assert d.detach().square().mean().sqrt() <= method.radius * (1 + 1e-5)

    def test_refuses_an_encoding_without_gradients(self):
        shown = case("direct")
        stage = Stage("direct", shown.stage.blueprint, shown.stage.network, 4, Poisson())
        with pytest.raises(ConfigError, match="poisson"):
            IBAU(rounds=1).repair(stage, shown.defender())

    def test_convolutions_on_small_maps_can_be_derived_twice(self):
        noise = torch.Generator().manual_seed(0)
        x, w = (
            torch.randn(shape, generator=noise, dtype=torch.float64, requires_grad=True)
            for shape in ((2, 3, 2, 2), (4, 3, 3, 3))
        )
        assert torch.autograd.gradgradcheck(_SmallMaps.apply, (x, w))
