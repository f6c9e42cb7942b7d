"""From ANN to SNN: folding, thresholds from literals, and rates that tend to activations."""

import copy

import numpy as np
import pytest
import torch
from rules_cases import (  # noqa: F401 (one_thread is a fixture)
    build,
    equal_states,
    identity_network,
    one_thread,
    pixels,
)

from spikedoor.errors import ConfigError
from spikedoor.rules.conversion import Converter, Max, Percentile, ScaledMax
from spikedoor.rules.conversion.base import fold
from spikedoor.snn.activations import Rectifier, Spiking
from spikedoor.snn.networks import VGG, Network, ResNet, SmallConv
from spikedoor.snn.neurons import IF
from spikedoor.snn.readout import MeanCurrent
from spikedoor.snn.signal import Signal

ARCHITECTURES = pytest.mark.parametrize(
    "architecture",
    [SmallConv(width=4), VGG(depth=5, width=0.125), ResNet(depth=20, width=0.5)],
    ids=lambda architecture: architecture.name,
)


def images(count: int = 12, shape: tuple[int, int, int] = (1, 8, 8), seed: int = 1):
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def output(network: Network, x: torch.Tensor, steps: int = 1) -> torch.Tensor:
    """Return the mean output over the steps of a constant input."""
    return MeanCurrent().scores(network(Signal(x, steps, len(x))))[-1]


def spiking(network: Network) -> dict[str, Spiking]:
    return {name: m for name, m in network.named_modules() if isinstance(m, Spiking)}


def threshold_of(converter: Converter, *batches: object) -> float:
    """Convert a network whose activations are exactly the rectified numbers given."""
    size = len(batches[0][0])  # type: ignore[index]
    ann = identity_network(size, Rectifier())
    (neuron,) = spiking(converter.convert(ann, [pixels(batch) for batch in batches], 8)).values()
    assert neuron.threshold == neuron.amplitude
    return float(neuron.threshold)


class TestFold:
    @ARCHITECTURES
    def test_changes_no_output(self, architecture):
        ann = build(architecture, (3, 16, 16)).double()
        x = images(shape=(3, 16, 16)).double()
        folded = fold(ann)
        torch.testing.assert_close(output(folded, x), output(ann, x), rtol=1e-10, atol=1e-12)
        assert all(synapse.norm is None for synapse in folded.synapses())

    @ARCHITECTURES
    def test_is_a_copy(self, architecture):
        ann = build(architecture).train()
        before = copy.deepcopy(ann)
        folded = fold(ann)
        assert equal_states(before, ann)
        assert ann.training
        assert not folded.training
        theirs = {p.data_ptr() for p in folded.parameters()}
        assert theirs.isdisjoint(p.data_ptr() for p in ann.parameters())

    def test_twice_is_once(self):
        folded = fold(build(SmallConv(width=4)))
        assert equal_states(folded, fold(folded))


class TestThresholds:
    """Two batches of activations: largest 4 and 10; what is negative is cut off by the ReLU."""

    first = ((1.0, 4.0, -20.0), (0.5, 2.0, 0.0))
    second = ((10.0, 3.0, 1.0), (-9.0, 6.0, 2.0))

    def test_max(self):
        assert threshold_of(Max(), self.first) == 4
        assert threshold_of(Max(), self.first, self.second) == 10
        assert threshold_of(Max(), self.second, self.first) == 10

    def test_scaled_max(self):
        assert threshold_of(ScaledMax(), self.first, self.second) == 5
        assert threshold_of(ScaledMax(factor=0.25), self.first, self.second) == 2.5

    @pytest.mark.parametrize(
        ("converter", "expected"),
        [
            # 4; 0.9 * 4 + 0.1 * 10 = 4.6; 0.9 * 4.6 + 0.1 * 10 = 5.14
            (Max(momentum=0.1), 5.14),
            # 4; 7; 8.5
            (Max(momentum=0.5), 8.5),
            (Max(momentum=1.0), 10.0),
            (ScaledMax(factor=0.5, momentum=0.1), 2.57),
            (Percentile(p=100, momentum=0.1), 5.14),
        ],
        ids=str,
    )
    def test_running_average(self, converter, expected):
        found = threshold_of(converter, self.first, self.second, self.second)
        assert found == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("p", "expected"), [(99.9, 99.9), (50, 50), (25, 25), (0.5, 0.5), (100, 100)]
    )
    def test_percentile_of_a_ramp(self, p, expected):
        ramp = [[float(value) for value in range(101)]]
        assert threshold_of(Percentile(p=p), ramp) == pytest.approx(expected)

    def test_percentile_lies_between_two_values_in_proportion(self):
        # Of 1, 2, 4, 8 the 90th stands at place 2.7, between 4 and 8.
        assert threshold_of(Percentile(p=90), [[8.0, 1.0, 4.0, 2.0]]) == pytest.approx(6.8)

    def test_percentile_is_averaged_over_batches(self):
        # Medians: 0.75 of (0, 0, 0.5, 1, 2, 4) and 2.5 of (0, 1, 2, 3, 6, 10).
        found = threshold_of(Percentile(p=50), self.first, self.second)
        assert found == pytest.approx((0.75 + 2.5) / 2)

    def test_percentile_without_zeros(self):
        # Medians: 1.5 of (0.5, 1, 2, 4) and 3 of (1, 2, 3, 6, 10).
        found = threshold_of(Percentile(p=50, nonzero=True), self.first, self.second)
        assert found == pytest.approx((1.5 + 3) / 2)

    @pytest.mark.parametrize(
        "converter", [Max(), ScaledMax(), Percentile(), Percentile(nonzero=True)], ids=str
    )
    def test_of_a_silent_layer_is_one(self, converter):
        assert threshold_of(converter, ((-1.0, -2.0), (0.0, -1.0))) == 1

    @ARCHITECTURES
    def test_each_layer_gets_its_own(self, architecture):
        ann = build(architecture)
        x = images()
        largest: dict[str, float] = {}

        def watch(name: str, layer: Rectifier) -> None:
            layer.observer = lambda seen: largest.update({name: float(seen.max())})

        watched = fold(ann)
        for name, module in watched.named_modules():
            if isinstance(module, Rectifier):
                watch(name, module)
        output(watched, x)
        assert len(set(largest.values())) == len(largest) > 2
        converted = spiking(Max().convert(ann, [x], 8))
        found = {name: float(neuron.threshold) for name, neuron in converted.items()}
        assert found == largest

    @pytest.mark.parametrize(
        ("kind", "fields"),
        [
            (ScaledMax, {"factor": 0.0}),
            (ScaledMax, {"factor": 1.5}),
            (Percentile, {"p": 0}),
            (Percentile, {"p": 100.5}),
            (Max, {"momentum": 0.0}),
            (Percentile, {"momentum": 1.1}),
        ],
    )
    def test_refuse_values_out_of_range(self, kind, fields):
        with pytest.raises(ConfigError, match=next(iter(fields))):
            kind(**fields)


class TestRates:
    def test_tend_to_the_clipped_activation_at_one_over_t(self):
        values = torch.linspace(-1, 2, 61)
        ann = identity_network(61, Rectifier())
        converter, limit = ScaledMax(factor=0.75), 1.5
        network = converter.convert(ann, [values.view(1, 1, 1, -1)], 8)
        for steps in (1, 2, 7, 40, 200):
            rates = output(network, values.view(1, 1, 1, -1), steps)[0]
            error = (values.clamp(0, limit) - rates).abs()
            assert error.max() <= limit / steps + 1e-5

    @pytest.mark.parametrize(
        "architecture",
        [
            SmallConv(width=4, pool="avg"),
            VGG(depth=5, width=0.125, pool="avg"),
            ResNet(width=0.125),
        ],
        ids=lambda architecture: architecture.name,
    )
    def test_of_a_deep_network_tend_to_its_output(self, architecture):
        ann, x = build(architecture), images(8)
        network = Max().convert(ann, [x], 8)
        expected = output(ann, x)
        errors = [float((output(network, x, t) - expected).abs().max()) for t in (25, 100, 400)]
        assert errors[2] < 0.05 * float(expected.abs().max())
        assert errors[2] < errors[1] / 2 < errors[0] / 4

    def test_tend_to_the_output_of_an_ann_clipped_at_the_thresholds(self):
        ann, x = build(SmallConv(width=4, pool="avg")), images(8)
        network = ScaledMax(factor=0.4).convert(ann, [x], 8)
        thresholds = [float(neuron.threshold) for neuron in spiking(network).values()]
        folded = fold(ann)
        y = x
        for block, limit in zip(
            [block for block in folded.blocks if hasattr(block, "synapse")], thresholds, strict=True
        ):
            rows = y.permute(0, 2, 3, 1).flatten(1) if block.pool is None else y
            y = block.synapse(rows).clamp(0, limit)
            y = y if block.pool is None else torch.nn.functional.avg_pool2d(y, 2)
        expected = folded.head.layer(y).detach()
        assert float((expected - output(ann, x)).abs().max()) > 0.03
        torch.testing.assert_close(output(network, x, 800), expected, rtol=0, atol=0.002)

    def test_a_lower_threshold_is_nearer_sooner(self):
        """With outliers left out, few steps say more; this is why percentiles are taken."""
        values = torch.cat([torch.linspace(0, 1, 99), torch.tensor([20.0])]).view(1, 1, 1, -1)
        ann = identity_network(100, Rectifier())
        errors = {
            converter.name: float(
                (output(converter.convert(ann, [values], 8), values, 8) - output(ann, values))[
                    0, :99
                ]
                .abs()
                .mean()
            )
            for converter in (Max(), Percentile(p=98))
        }
        assert errors["percentile"] < errors["max"] / 4


class TestRefusals:
    def test_a_network_without_rectifiers(self):
        snn = SmallConv(width=4).build((1, 8, 8), 3, IF().build, seed=0)
        with pytest.raises(ConfigError, match="ANN with ReLU activations"):
            Max().convert(snn, [images()], 8)

    def test_no_calibration_images(self):
        with pytest.raises(ConfigError, match="calibration images"):
            Max().convert(build(SmallConv(width=4)), [], 8)


def test_calibration_images_may_come_in_batches_of_any_size():
    ann, x = build(SmallConv(width=4)), images(12)
    whole, parts = Max().convert(ann, [x], 8), Max().convert(ann, iter(x.split(5)), 8)
    for a, b in zip(spiking(whole).values(), spiking(parts).values(), strict=True):
        assert float(a.threshold) == pytest.approx(float(b.threshold), rel=1e-6)


def test_percentiles_agree_with_numpy_on_every_layer():
    ann, x = build(SmallConv(width=4)), images()
    seen: list[np.ndarray] = []
    folded = fold(ann)
    for module in folded.modules():
        if isinstance(module, Rectifier):
            module.observer = lambda values: seen.append(values.numpy())
    output(folded, x)
    converted = spiking(Percentile(p=97).convert(ann, [x], 8))
    expected = [np.quantile(values.astype(np.float64), 0.97) for values in seen]
    assert [float(m.threshold) for m in converted.values()] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("initial", [0.0, 0.5])
def test_initial_membrane_is_a_share_of_the_threshold(initial):
    """A rate is rounded down from 0, and to the nearest from one half."""
    ann = identity_network(4, Rectifier())
    levels = pixels([[0.0, 0.3, 0.45, 1.0]])
    snn = Max(initial=initial).convert(ann, [levels], 8)
    mean = snn(Signal(levels, 5, 1)).mean(0)[0]
    expected = [0.0, 0.2, 0.4, 1.0] if initial == 0 else [0.0, 0.4, 0.4, 1.0]
    torch.testing.assert_close(mean, torch.tensor(expected))
