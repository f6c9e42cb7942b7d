"""The converters against closed forms and hand-made simulations of what their papers describe."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from rules_cases import (  # noqa: F401 (one_thread is a fixture)
    build,
    identity_network,
    one_thread,
    pixels,
)
from torch import nn

from spikedoor.rules.conversion import (
    QCFS,
    RMP,
    Calibration,
    Max,
    ScaledMax,
    SpikeNorm,
    ThresholdShift,
    report,
)
from spikedoor.rules.conversion.base import fold
from spikedoor.rules.conversion.calibration import best_threshold
from spikedoor.rules.conversion.layers import means, places
from spikedoor.snn.activations import Rectifier, Spiking
from spikedoor.snn.blocks import Flatten, Head, Synapse, Unit
from spikedoor.snn.networks import Network, ResNet, SmallConv
from spikedoor.snn.readout import MeanCurrent
from spikedoor.snn.rectifiers import ClipFloorShift, ClippedReLU
from spikedoor.snn.signal import Signal


def images(count: int = 12, seed: int = 1) -> torch.Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def output(network: Network, x: torch.Tensor, steps: int = 1) -> torch.Tensor:
    return MeanCurrent().scores(network(Signal(x, steps, len(x))))[-1]


def neurons(network: Network) -> list[Spiking]:
    return [module for module in network.modules() if isinstance(module, Spiking)]


SIZES = (6, 9, 8, 5, 3)


@torch.no_grad()
def chain(seed: int = 0, bias: bool = False) -> Network:
    """Make a network of linear layers whose inputs are mostly positive, so that all are active."""
    random = torch.Generator().manual_seed(seed)
    units: list[nn.Module] = [Flatten()]
    for before, after in pairwise(SIZES[:-1]):
        layer = nn.Linear(before, after, bias=bias)
        layer.weight.uniform_(-0.3, 0.8, generator=random)
        if bias:
            layer.bias.uniform_(-0.5, 0.5, generator=random)
        units.append(Unit(Synapse(layer, None), Rectifier()))
    head = Head(*SIZES[-2:])
    head.layer.weight.uniform_(-1, 1, generator=random)
    head.layer.bias.zero_()
    return Network(units, head)


class TestBalancing:
    x = torch.rand(7, 1, 1, SIZES[0], generator=torch.Generator().manual_seed(5))

    def published(
        self,
        ann: Network,
        factor: float,
        hard: bool,
        steps: int,
        given: list[float] | None = None,
    ):
        """Simulate the paper's network: spikes of height 1, weights kept, thresholds to those.

        Thresholds are found on the way, or given.
        """
        sent = np.repeat(self.x.flatten(1).numpy()[None].astype(np.float64), steps, 0)
        trains, thresholds = [], []
        for unit in list(ann.blocks)[1:]:
            current = sent @ unit.synapse.layer.weight.detach().numpy().T.astype(np.float64)
            threshold = given[len(trains)] if given else factor * current.max()
            membrane, spikes = np.zeros(current.shape[1:]), np.zeros(current.shape)
            for t in range(steps):
                membrane += current[t]
                spikes[t] = membrane >= threshold
                membrane -= spikes[t] * (membrane if hard else threshold)
            sent = spikes
            trains.append(spikes)
            thresholds.append(threshold)
        return trains, thresholds

    @pytest.mark.parametrize(
        ("converter", "factor", "hard"),
        [
            (SpikeNorm(steps=30), 1.0, True),
            (SpikeNorm(steps=30, reset="soft"), 1.0, False),
            (RMP(steps=30, factor=0.7), 0.7, False),
            (SpikeNorm(steps=30, reset="soft", scale=0.7), 1.0, False),
        ],
        ids=["spike-norm", "spike-norm-soft", "rmp", "spike-norm-scaled"],
    )
    def test_sends_the_spikes_of_the_published_form(self, converter, factor, hard):
        """Ours are as high as the threshold, which is the product of the published ones so far."""
        ann = chain()
        trains, thresholds = self.published(ann, factor, hard, 30)
        if getattr(converter, "scale", 1.0) < 1:
            wanted = [converter.scale * threshold for threshold in thresholds]
            trains, thresholds = self.published(ann, factor, hard, 30, wanted)
        ours = converter.convert(ann, self.x.split(3), 8)
        found = [float(neuron.threshold) for neuron in neurons(ours)]
        assert found == pytest.approx(np.cumprod(thresholds).tolist(), rel=1e-5)
        sent: list[torch.Tensor] = []
        for neuron in neurons(ours):
            neuron.observer = sent.append
        output(ours, self.x, 30)
        for spikes, mine, height in zip(trains, sent, found, strict=True):
            assert 0.02 < spikes.mean() < 0.9
            assert (
                mine.view(30, 7, -1).numpy() / height == spikes
            ).mean() > 0.99  # ties in single precision

    def test_soft_rates_tend_to_the_activations_biases_and_all(self):
        ann = chain(bias=True)
        network = RMP(factor=1.0).convert(ann, [self.x], 8)
        errors = [float((output(network, self.x, t) - output(ann, self.x)).abs().max())
                  for t in (100, 3000)]  # fmt: skip
        assert errors[1] < 0.01 * float(output(ann, self.x).abs().max())
        assert errors[1] < errors[0] / 10
        assert (output(network, self.x, 3000).argmax(1) == output(ann, self.x).argmax(1)).all()

    def test_hard_rates_are_one_in_a_whole_number_of_steps(self):
        values = torch.tensor([0.1, 0.3, 0.5, 0.6, 0.9, 1.0])
        ann = identity_network(6, Rectifier())
        network = SpikeNorm(steps=4).convert(ann, [values.view(1, 1, 1, -1)], 8)
        rates = output(network, values.view(1, 1, 1, -1), 360)[0]
        wanted = [1 / 11, 1 / 4, 1 / 2, 1 / 2, 1 / 2, 1]  # 0.1 ten times falls short of 1 in floats
        assert rates.tolist()[1:] == pytest.approx(wanted[1:])
        assert rates[0] == pytest.approx(0.1, abs=0.01)

    def test_hard_reset_keeps_the_argmax(self):
        ann = chain(seed=3)
        network = SpikeNorm().convert(ann, [self.x], 8)
        same = output(network, self.x, 1000).argmax(1) == output(ann, self.x).argmax(1)
        assert same.float().mean() >= 0.85

    def test_residual_blocks_balance_the_sum_of_both_branches(self):
        ann, x = build(ResNet(depth=20, width=0.5)), images(4)
        network = RMP(factor=1.0, steps=20).convert(ann, [x], 8)
        currents: dict[str, float] = {}
        for place in places(network):
            place.of(network).register_forward_pre_hook(
                lambda module, given, name=place.name: currents.update(
                    {name: float(given[0].data.max())}
                )
            )
        output(network, x, 20)
        for place in places(network):
            threshold = float(place.of(network).threshold)
            assert threshold == pytest.approx(currents[place.name], rel=1e-4)


GRID = torch.linspace(-1, 3, 81)


def rounded(z: torch.Tensor, threshold: float, steps: int) -> torch.Tensor:
    count = (z * steps / threshold + 0.5).floor().clamp(0, steps)
    return count * threshold / steps


def away_from_ties(z: torch.Tensor, threshold: float, steps: int) -> torch.Tensor:
    share = (z * steps / threshold + 0.5) % 1
    return (share > 1e-3) & (share < 1 - 1e-3)


@pytest.mark.parametrize("steps", [1, 2, 5, 16])
class TestRounding:
    def test_threshold_shift_rounds_to_the_nearest_rate(self, steps):
        ann = identity_network(81, Rectifier())
        x = GRID.view(1, 1, 1, -1)
        sent = output(ThresholdShift().convert(ann, [x], steps), x, steps)[0]
        certain = away_from_ties(GRID, 3.0, steps)
        torch.testing.assert_close(sent[certain], rounded(GRID, 3.0, steps)[certain])

    def test_threshold_shift_takes_the_limit_of_a_clipped_relu(self, steps):
        ann = identity_network(81, ClippedReLU(limit=1.3).build())
        x = GRID.view(1, 1, 1, -1)
        network = ThresholdShift().convert(ann, [x / 3], steps)
        certain = away_from_ties(GRID, 1.3, steps)
        sent = output(network, x, steps)[0]
        torch.testing.assert_close(sent[certain], rounded(GRID, 1.3, steps)[certain])

    def test_qcfs_sends_exactly_what_its_ann_does_at_as_many_steps_as_levels(self, steps):
        ann = identity_network(81, ClipFloorShift(levels=steps, limit=1.3).build())
        x = GRID.view(1, 1, 1, -1)
        network = QCFS().convert(ann, [x], 99)
        certain = away_from_ties(GRID, 1.3, steps)
        sent, wanted = output(network, x, steps)[0], output(ann, x)[0]
        torch.testing.assert_close(sent[certain], wanted[certain])
        (neuron,) = neurons(network)
        assert float(neuron.initial) == pytest.approx(0.65)


class TestCalibration:
    def test_best_threshold_is_that_of_a_search_by_hand(self):
        """Twenty activations of 1 and one of 2: at T = 1 the outlier is given up, at 2 kept."""
        a = torch.tensor([1.0] * 20 + [2.0])
        assert best_threshold(a, 2.0, 1) == pytest.approx(1.0)
        assert best_threshold(a, 2.0, 2) == pytest.approx(2.0)
        assert best_threshold(torch.zeros(5), 0.0, 4) == 0

    def test_best_threshold_beats_all_others_of_the_grid(self):
        a = torch.randn(4000, generator=torch.Generator().manual_seed(2)).relu()
        for steps in (2, 8, 32):
            grid = [float(a.max()) * (1 - 0.01 * i) for i in range(95)]
            spikes = [np.clip(np.floor(a.double().numpy() * steps / v), 0, steps) for v in grid]
            errors = [np.mean((n * v / steps - a.numpy()) ** 2)
                      for n, v in zip(spikes, grid, strict=True)]  # fmt: skip
            found = best_threshold(a, float(a.max()), steps)
            assert min(errors) == pytest.approx(
                errors[int(np.argmin(np.abs(np.array(grid) - found)))]
            )
        assert best_threshold(a, float(a.max()), 2) < best_threshold(a, float(a.max()), 32)

    @pytest.mark.parametrize("mode", ["light", "advanced"])
    def test_takes_back_a_known_error(self, mode):
        """Activations of 0.3 and 0.7 at T = 2: the threshold leaves errors, the correction none.

        Each channel is one neuron and every image the same, so both modes can mend all of it.
        """
        ann = identity_network(3, Rectifier())
        x = pixels([[0.3, 0.7, 1.0]] * 4)
        network = Calibration(mode=mode).convert(ann, [x], 2)
        plain = ScaledMax(factor=float(neurons(network)[0].threshold)).convert(ann, [x], 2)
        lost = output(ann, x, 1) - output(plain, x, 2)
        assert lost.abs().max() > 0.1
        synapse = places(network)[0].synapse
        given = synapse.layer.bias if mode == "light" else neurons(network)[0].initial / 2
        torch.testing.assert_close(given.detach(), lost[0])

    @pytest.mark.parametrize("architecture", [SmallConv(width=4), ResNet(depth=20, width=0.5)],
                             ids=["small-conv", "resnet"])  # fmt: skip
    @pytest.mark.parametrize("mode", ["light", "advanced"])
    def test_leaves_less_error_in_every_layer(self, mode, architecture):
        """Against the same thresholds uncorrected, and against the correction of the wrong sign."""
        ann, x, steps = build(architecture), images(24), 8
        network = Calibration(mode=mode).convert(ann, [x], steps)
        plain = uncorrected(ann, x, network)
        where = places(network)
        left, without = (
            np.mean([float((s - a).mean(0).abs().mean() / a.mean()) for s, a in zip(
                means(snn, where, x, steps), means(fold(ann), where, x), strict=True)])
            for snn in (network, plain)
        )  # fmt: skip
        assert left < 0.7 * without
        assert near(network, ann, x, steps) < near(plain, ann, x, steps)

    def test_is_nearer_than_max_at_few_steps(self):
        ann, x = build(SmallConv(width=4)), images(24)
        for steps in (2, 4):
            calibrated, plain = (
                converter.convert(ann, [x], steps) for converter in (Calibration(), Max())
            )
            assert near(calibrated, ann, x, steps) < near(plain, ann, x, steps) / 2


def uncorrected(ann: Network, x: torch.Tensor, like: Network) -> Network:
    """Convert with given thresholds and nothing else."""
    network = Max().convert(ann, [x], 1)
    for mine, theirs in zip(neurons(network), neurons(like), strict=True):
        mine.threshold.copy_(theirs.threshold)
        mine.amplitude.copy_(theirs.threshold)
    return network


def near(snn: Network, ann: Network, x: torch.Tensor, steps: int) -> float:
    return float((output(snn, x, steps) - output(ann, x)).square().mean())


class TestReport:
    def test_by_hand(self):
        """Threshold 1; 0.3 and 0.55 send nothing and 1 spike in 2 steps, 1.0 sends 2."""
        ann, x = identity_network(4, Rectifier()), pixels([[0.3, 0.55, 1.0, -1.0]])
        found = report(ann, Max().convert(ann, [x], 2), x, 2)["layers"][0]
        assert found["layer"] == "blocks.1.activation"
        assert found["threshold"] == 1
        assert found["ann_mean"] == pytest.approx(1.85 / 4)
        assert found["snn_mean"] == found["rate"] == pytest.approx(1.5 / 4)
        error = np.sqrt((0.3**2 + 0.05**2) / (0.3**2 + 0.55**2 + 1))
        assert found["error"] == pytest.approx(error)

    def test_says_nothing_of_the_error_of_a_silent_layer(self):
        ann, x = identity_network(2, Rectifier()), pixels([[-1.0, -2.0]])
        found = report(ann, Max().convert(ann, [x], 2), x, 2)["layers"][0]
        assert found["error"] is None
        assert found["rate"] == 0

    def test_batches_of_any_size_are_one(self):
        ann, x = build(SmallConv(width=4)), images(300)
        snn = Max().convert(ann, [x], 4)
        found = report(ann, snn, x, 3)["layers"]
        for place, layer, sent, wanted in zip(
            places(snn), found, means(snn, places(snn), x, 3),
            means(fold(ann), places(snn), x), strict=True,
        ):  # fmt: skip
            assert layer["layer"] == place.name
            assert layer["snn_mean"] == pytest.approx(float(sent.mean()), rel=1e-4)
            assert layer["error"] == pytest.approx(
                float((sent - wanted).norm() / wanted.norm()), rel=1e-4
            )
