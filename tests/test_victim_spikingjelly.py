"""Networks of SpikingJelly as victims: the same spikes at every step, or a refusal by name."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from spikedoor.errors import ConfigError
from spikedoor.snn.networks import Layered
from spikedoor.snn.readout import LastMembrane, MeanCurrent, MeanRate
from spikedoor.victim import Victim, from_module

WHY = "SpikingJelly is an oracle only; `make test` installs it"
sj = pytest.importorskip("spikingjelly.activation_based", reason=WHY)
from spikingjelly.activation_based import functional, layer, neuron  # noqa: E402

SHAPE, STEPS = (2, 13, 12), 6
NEURONS: dict[str, Callable[[], nn.Module]] = {
    "if": lambda: neuron.IFNode(0.25),
    "if-soft": lambda: neuron.IFNode(0.25, None),
    "lif": lambda: neuron.LIFNode(1.7, v_threshold=0.2, v_reset=-0.1),
    "lif-whole-input": lambda: neuron.LIFNode(3.1, False, 0.3, None),
    "plif": lambda: neuron.ParametricLIFNode(2.3, v_threshold=0.2),
}


def drawn(module: nn.Module, seed: int = 0) -> nn.Module:
    """Draw the weights, and norms as if after training."""
    generator = torch.Generator().manual_seed(seed)
    for inner in module.modules():
        if isinstance(inner, nn.Conv2d | nn.Linear):
            inner.weight.data.normal_(0.1, 0.4, generator=generator)
            if inner.bias is not None:
                inner.bias.data.uniform_(-0.1, 0.1, generator=generator)
        if isinstance(inner, nn.BatchNorm2d):
            inner.running_mean.uniform_(0, 0.5, generator=generator)
            inner.running_var.uniform_(0.1, 1, generator=generator)
            inner.weight.data.uniform_(-0.5, 1.5, generator=generator)
    return module.eval()


def network(make: Callable[[], nn.Module], mode: str = "s", last: tuple = ()) -> nn.Module:
    made = nn.Sequential(
        nn.Sequential(layer.Conv2d(2, 6, 3, padding="same", bias=False), layer.BatchNorm2d(6, 0.1)),
        make(),
        layer.MaxPool2d(3, 2, 1),
        layer.Conv2d(6, 4, (3, 1), stride=(2, 1), groups=2),
        layer.AvgPool2d(2, 1),
        make(),
        layer.AvgPool2d(2),
        layer.Flatten(),
        layer.Dropout(0.5),
        layer.Linear(8, 12, bias=False),
        make(),
        layer.Linear(12, 5),
        *last,
    )
    functional.set_step_mode(made, mode)
    return drawn(made)


def outputs(module: nn.Module, x: torch.Tensor, mode: str) -> torch.Tensor:
    functional.reset_net(module)
    with torch.no_grad():
        return module(x) if mode == "m" else torch.stack([module(frame) for frame in x])


def ours(victim: Victim, x: torch.Tensor) -> torch.Tensor:
    """The scores after each step."""
    from spikedoor.snn.signal import Signal

    stage = victim.final
    return stage.readout.scores(stage.network(Signal(x.flatten(0, 1), *x.shape[:2])))


def running_mean(x: torch.Tensor) -> torch.Tensor:
    return x.cumsum(0) / torch.arange(1, len(x) + 1).view(-1, 1, 1)


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("kind", NEURONS)
@pytest.mark.parametrize("spiking", [True, False], ids=["rates", "currents"])
def test_every_step_is_the_same(kind, mode, spiking):
    module = network(NEURONS[kind], mode, (NEURONS[kind](),) if spiking else ())
    functional.set_step_mode(module, mode)
    victim = from_module(module, SHAPE, 5, STEPS)
    assert type(victim.final.readout) is (MeanRate if spiking else MeanCurrent)
    x = torch.rand(STEPS, 7, *SHAPE, generator=torch.Generator().manual_seed(3)) * 2
    theirs = outputs(module, x, mode)
    assert theirs.unique().numel() > 1
    torch.testing.assert_close(ours(victim, x), running_mean(theirs), rtol=1e-5, atol=1e-5)


def test_a_module_that_repeats_its_image_tells_the_steps():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = network(NEURONS["lif"], "m")

        def forward(self, x):
            return self.body(x.unsqueeze(0).repeat(4, 1, 1, 1, 1)).mean(0)

    victim = from_module(Own().eval(), SHAPE, ["a", "b", "c", "d", "e"])
    assert victim.final.steps == 4
    assert victim.final.blueprint.classes == ("a", "b", "c", "d", "e")


def test_it_is_written_and_read_like_any_victim(tmp_path):
    mixed = iter([NEURONS["if"], NEURONS["plif"], NEURONS["lif"]])
    module = network(lambda: next(mixed)(), last=(NEURONS["if"](),))
    victim = from_module(module, SHAPE, 5, STEPS, mean=(0.1, 0.2), std=(0.5,))
    again = Victim.load(victim.save(tmp_path / "victim"))
    x = torch.rand(STEPS, 3, *SHAPE)
    assert torch.equal(ours(victim, x), ours(again, x))
    mean = torch.tensor([0.1, 0.2]).view(2, 1, 1)
    theirs = running_mean(outputs(module, (x - mean) / 0.5, "s"))
    torch.testing.assert_close(ours(again, x), theirs, rtol=1e-5, atol=1e-5)


def test_groups_of_outputs_may_vote():
    last = (NEURONS["if"](), nn.Linear(5, 20), NEURONS["if"](), layer.VotingLayer(4))
    module = network(NEURONS["if"], last=last)
    x = torch.rand(STEPS, 3, *SHAPE)
    theirs = running_mean(outputs(module, x, "s"))
    victim = from_module(module, SHAPE, 5, STEPS, readout=MeanCurrent())
    torch.testing.assert_close(ours(victim, x), theirs)
    assert from_module(module, SHAPE, 5, 2, readout=LastMembrane()).final.readout == LastMembrane()


class Branch(nn.Module):
    """A network with a branch, a function, or something else behind its neurons."""

    def __init__(self, behind: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(312, 5)
        self.spikes, self.behind = neuron.IFNode(0.1), behind

    def forward(self, x):
        return self.second(self.behind(self.spikes(self.first(x))).flatten(1))


def test_pooling_as_a_function_counts_as_a_layer():
    module = Branch(lambda x: F.avg_pool2d(x, kernel_size=(1, 2)))
    module.second = nn.Linear(156, 5)
    victim = from_module(module.eval(), SHAPE, 5, STEPS)
    architecture = victim.final.blueprint.architecture
    assert isinstance(architecture, Layered)
    assert [one.name for one in architecture.layers] == ["conv", "spikes", "pool"]


def test_what_is_no_chain_of_known_layers_is_refused_by_name():
    class Strange(neuron.IFNode):
        def single_step_forward(self, x):
            return super().single_step_forward(0.9 * x)

    def izhikevich():
        return neuron.IzhikevichNode()

    relu = nn.Sequential(nn.Flatten(), nn.Linear(312, 5), neuron.IFNode(), nn.ReLU())
    strange = nn.Sequential(nn.Flatten(), nn.Linear(312, 5), Strange(v_threshold=0.1))
    other = nn.Sequential(nn.Flatten(), nn.Linear(312, 5), izhikevich())
    for module, found in (
        (Branch(lambda x: x + 1), "'second' .Linear. is not given what comes from 'spikes'"),
        (relu, "'3' .ReLU. cannot be translated"),
        (strange, "'2' .Strange. cannot be translated: on random input"),
        (other, "'2' .IzhikevichNode. cannot be translated: known are"),
        (nn.Sequential(nn.Flatten(), nn.Linear(312, 5)), "expected a module with neurons"),
        (nn.Sequential(nn.Linear(9, 5), neuron.IFNode()), "takes no input of shape"),
        (nn.Sequential(nn.Flatten(), nn.Linear(312, 4), neuron.IFNode()), "each of 5 classes"),
    ):
        with pytest.raises(ConfigError, match=found):
            from_module(module.eval(), SHAPE, 5, STEPS)
    with pytest.raises(ConfigError, match="give `steps`"):
        from_module(strange, SHAPE, 5)
