"""Whole networks: layers as counted, constant input, copies, folding, precision."""

import copy

import pytest
import torch
from torch import nn

from spikedoor.errors import ConfigError
from spikedoor.snn.activations import Activation, Rectifier
from spikedoor.snn.blocks import Flatten, Head, PreActivated, Residual, Synapse, Unit
from spikedoor.snn.kernels import use
from spikedoor.snn.networks import (
    VGG,
    Architecture,
    BadNet,
    Network,
    PreActResNet,
    ResNet,
    SmallConv,
)
from spikedoor.snn.neurons import IF, LIF
from spikedoor.snn.norm import BatchNorm
from spikedoor.snn.signal import Signal

PLANS = {
    "small-conv": SmallConv(width=8),
    "small-conv-max": SmallConv(width=8, pool="max"),
    "vgg9": VGG(depth=9, width=0.125, pool="max"),
    "vgg11": VGG(depth=11, width=0.125),
    "resnet18": ResNet(depth=18, width=0.125),
    "resnet20": ResNet(depth=20, width=0.5),
}
plans = pytest.mark.parametrize("plan", PLANS)

SHAPE, CLASSES, BATCH, STEPS = (3, 16, 16), 5, 4, 6


def spiking() -> Activation:
    return LIF(threshold=0.25).build()


def drawn(seed: int, count: int = BATCH) -> torch.Tensor:
    return torch.randn((count, *SHAPE), generator=torch.Generator().manual_seed(seed))


def images(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def train(network: Network, steps: int, passes: int = 1) -> None:
    """Train a little, so that norms and weights are those of no fresh network."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    labels = torch.arange(BATCH) % CLASSES
    for seed in range(passes):
        optimizer.zero_grad()
        scores = network(Signal(drawn(seed), steps, BATCH)).mean(0)
        nn.functional.cross_entropy(scores, labels).backward()
        optimizer.step()


@torch.no_grad()
def enliven(network: Network, x: torch.Tensor) -> None:
    """Set the norms to the statistics of x and shift them up, so that all layers fire."""
    for module in network.modules():
        if isinstance(module, BatchNorm):
            module.momentum = 1.0
            module.bias.fill_(0.3)
    network(Signal(x, STEPS, BATCH))


@torch.no_grad()
def on_a_grid(network: Network) -> None:
    """Round what meets the image to eighths, so that its sums are exact in any order."""
    first = next(network.synapses()).layer
    first.weight.copy_((8 * first.weight).round() / 8)


@pytest.mark.parametrize("backend", ["auto", "torch", "eager"])
@plans
def test_constant_input_gives_what_repeated_input_gives(plan, backend):
    network = PLANS[plan].build(SHAPE, CLASSES, spiking, 0)
    once = (8 * drawn(9)).round() / 8
    often = once.repeat(STEPS, 1, 1, 1)
    on_a_grid(network)
    enliven(network, once)
    network.eval()
    with torch.inference_mode(), use(backend):
        constant = network(Signal(once, STEPS, BATCH))
        repeated = network(Signal(often, STEPS, BATCH))
    assert constant.shape == (STEPS, BATCH, CLASSES)
    assert constant.std(0).max() > 0
    assert torch.equal(constant, repeated)


@pytest.mark.parametrize("kind", [Rectifier, spiking], ids=["ann", "snn"])
@plans
def test_a_copy_after_training_is_equal_and_independent(plan, kind):
    network = PLANS[plan].build(SHAPE, CLASSES, kind, 0)
    steps = 1 if kind is Rectifier else STEPS
    train(network, steps)
    twin = copy.deepcopy(network)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    x = Signal(drawn(9), steps, BATCH)
    with torch.inference_mode():
        assert torch.equal(twin.eval()(x), network.eval()(x))
    train(twin.train(), steps)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert any(not torch.equal(value, state[name]) for name, value in twin.state_dict().items())


@plans
def test_folding_the_norms_keeps_the_outputs(plan):
    network = PLANS[plan].build(SHAPE, CLASSES, Rectifier, 0)
    train(network, 1, passes=3)
    x = Signal(drawn(9), 1, BATCH)
    with torch.inference_mode():
        before = network.eval()(x)
    for synapse in network.synapses():
        synapse.fold()
    assert not any(isinstance(module, BatchNorm) for module in network.modules())
    with torch.inference_mode():
        after = network(x)
    assert (after - before).abs().max() < 1e-5
    assert (after - before).abs().max() < 1e-4 * before.abs().max()


def test_folding_twice_is_folding_once():
    synapse = Synapse(nn.Linear(4, 3), BatchNorm(3)).eval()
    with torch.no_grad():
        synapse.norm.running_mean.fill_(0.5)
        synapse.norm.running_var.fill_(4.0)
    x = torch.randn((5, 4), generator=torch.Generator().manual_seed(0))
    before = synapse(x)
    for _ in range(2):
        synapse.fold()
        torch.testing.assert_close(synapse(x), before)


@pytest.mark.parametrize(
    ("plan", "count"),
    [
        (VGG(depth=5, width=0.125), 5),
        (VGG(depth=9, width=0.125), 9),
        (VGG(depth=11, width=0.125), 11 - 2),  # two hidden layers that it does not have
        (VGG(depth=16, width=0.125), 16 - 2),
        (ResNet(depth=18, width=0.125), 18),
        (ResNet(depth=20, width=0.5), 20),
    ],
    ids=str,
)
def test_layers(plan: Architecture, count: int):
    network = plan.build((3, 32, 32), 10, Rectifier, 0)
    through = [s for s in network.synapses() if not is_shortcut(network, s)]
    assert len(through) + 1 == count


def is_shortcut(network: Network, synapse: Synapse) -> bool:
    blocks = [module for module in network.modules() if isinstance(module, Residual)]
    return any(block.shortcut is synapse for block in blocks)


@pytest.mark.parametrize(
    ("plan", "count"),
    [
        # 32c3: 288 + 64; 64c3: 18432 + 128; 3136 x 128 + 256; 128 x 10 + 10
        (SmallConv(), 352 + 18560 + 401664 + 1290),
        # 269,722, the 0.27 M of He et al., and 2,752 of two 1x1 shortcuts with norm
        (ResNet(depth=20), 269_722 + 2_752),
        # He et al.'s ResNet-18 without biases: the count of public code for CIFAR
        (PreActResNet(), 11_171_146),
        # 16c5: 400 + 16; 32c5: 12800 + 32; 512 x 512 + 512; 512 x 10 + 10
        (BadNet(), 416 + 12_832 + 262_656 + 5_130),
    ],
    ids=str,
)
def test_parameters(plan: Architecture, count: int):
    shape = (1, 28, 28) if isinstance(plan, (SmallConv, BadNet)) else (3, 32, 32)
    network = plan.build(shape, 10, Rectifier, 0)
    assert sum(value.numel() for value in network.parameters()) == count


def test_preactivated_block_by_formula():
    """``x + c2 relu(n2 c1 relu(n1 x))``; a shortcut starts behind the first activation."""
    plan = PreActResNet(width=0.125)
    network = plan.build((3, 8, 8), 3, Rectifier, 0).eval()
    plain, changing = network.blocks[1], network.blocks[3]
    assert isinstance(plain, PreActivated)
    assert isinstance(changing, PreActivated)
    x = images(3, 8, 8, 8) - 0.5
    for block in (plain, changing):
        for norm in block.norms:
            norm.running_mean.uniform_(-0.2, 0.2)
            norm.weight.data.uniform_(0.5, 1.5)
        first = block.norms[0](x).relu()
        through = block.synapses[1](block.norms[1](block.synapses[0](first)).relu())
        around = x if block.shortcut is None else block.shortcut(first)
        torch.testing.assert_close(block(Signal(x, 1, 3)).data, through + around)
    assert plain.shortcut is None
    assert changing.shortcut is not None


def test_preactivated_block_of_neurons_meets_a_constant_current_at_every_step():
    block = PreActResNet(width=0.125).build((3, 8, 8), 3, spiking, 0).eval().blocks[1]
    x = 3 * images(2, 8, 8, 8)
    repeated = Signal(x.repeat(4, 1, 1, 1), 4, 2)
    torch.testing.assert_close(block(Signal(x, 4, 2)).data, block(repeated).data)


def test_badnet_takes_centred_pixels_and_pads_small_frames_alone():
    plain, centred = (
        BadNet(width=4, centre=c).build((1, 28, 28), 10, Rectifier, 0) for c in (False, True)
    )
    x = images(2, 1, 28, 28)
    torch.testing.assert_close(centred(Signal(x, 1, 2)), plain(Signal(2 * x - 1, 1, 2)))
    assert [unit.synapse.layer.padding for unit in plain.blocks[:2]] == [(0, 0), (0, 0)]
    small = BadNet(width=4).build((1, 8, 8), 10, Rectifier, 0)
    assert [unit.synapse.layer.padding for unit in small.blocks[:2]] == [(2, 2), (2, 2)]


@pytest.mark.parametrize("backend", ["auto", "torch"])
@plans
def test_snn_of_one_step_and_batch_of_one(plan, backend):
    """A norm that sees one value a channel refuses to train, whatever the back end."""
    network = PLANS[plan].build(SHAPE, CLASSES, spiking, 0)
    with use(backend):
        # Of these networks the ResNets alone never norm a single pixel.
        if plan.startswith("resnet"):
            network(Signal(drawn(0, 1), 1, 1)).sum().backward()
        else:
            with pytest.raises(ConfigError, match="two values a channel"):
                network(Signal(drawn(0, 1), 1, 1))
        with torch.inference_mode():
            assert network.eval()(Signal(drawn(0, 1), 1, 1)).shape == (1, 1, CLASSES)


@pytest.mark.parametrize("kind", [Rectifier, spiking], ids=["ann", "snn"])
@plans
def test_half_precision_inside_full_precision_out(plan, kind):
    network = PLANS[plan].build(SHAPE, CLASSES, kind, 0)
    with torch.autocast("cpu", torch.bfloat16):
        out = network(Signal(drawn(0), 1 if kind is Rectifier else STEPS, BATCH))
    assert out.dtype == torch.float32
    out.sum().backward()
    gradients = [value.grad for value in network.parameters()]
    assert all(g is not None and g.isfinite().all() for g in gradients)
    assert all(g.dtype == torch.float32 for g in gradients if g is not None)


def test_soft_if_network_tends_to_the_ann():
    """One hidden layer: the rates of soft-reset IF neurons tend to the clipped rectifier."""

    def network(activation: Activation) -> Network:
        synapse = Synapse(nn.Linear(6, 12), None)
        made = Network([Unit(synapse, activation)], Head(12, 3))
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for value in made.parameters():
                value.uniform_(-0.3, 0.3, generator=generator)
        return made

    x = torch.rand((8, 6), generator=torch.Generator().manual_seed(4)) / 2
    with torch.inference_mode():
        ann = network(Rectifier())(Signal(x, 1, 8)).mean(0)
        snn = network(IF(reset="soft").build())
        errors = [(snn(Signal(x, steps, 8)).mean(0) - ann).abs().max() for steps in (16, 128, 1024)]
    # A rate is off by 1 / T at most, and twelve of them meet weights of 0.3 at most.
    assert all(
        error < 12 * 0.3 / steps for error, steps in zip(errors, (16, 128, 1024), strict=True)
    )


@pytest.mark.parametrize(("side", "shape"), [(None, 48), (1, 3), (2, 12), (4, 48), (8, 192)])
def test_flatten(side, shape):
    maps = torch.arange(2 * 3 * 16, dtype=torch.float32).view(2, 3, 4, 4)
    flat = Flatten(side)(Signal(maps, 1, 2)).data
    assert flat.shape == (2, shape)
    assert flat.mean().item() == pytest.approx(maps.mean().item())
    if side == 2:
        assert flat[0, 0] == maps[0, 0, :2, :2].mean()


def test_signal_over_time():
    constant = Signal(torch.arange(6.0).view(2, 3), 4, 2)
    assert constant.over_time().shape == (4, 2, 3)
    assert torch.equal(constant.over_time()[3], constant.data)
    varying = Signal(torch.arange(24.0).view(8, 3), 4, 2)
    assert varying.over_time()[1, 0].tolist() == [6.0, 7.0, 8.0]
    doubled = varying.map(lambda x: 2 * x)
    assert (doubled.steps, doubled.batch) == (4, 2)
    assert torch.equal(doubled.data, 2 * varying.data)
