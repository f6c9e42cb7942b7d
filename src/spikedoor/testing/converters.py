"""What every converter keeps, on every kind of network."""

from __future__ import annotations

import copy
import json
import math
import tempfile
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from spikedoor.rules.conversion import Converter, report
from spikedoor.snn.activations import Rectifier, Spiking
from spikedoor.snn.networks import Architecture, Network, PreActResNet, ResNet, SmallConv
from spikedoor.snn.neurons import IF
from spikedoor.snn.readout import MeanCurrent
from spikedoor.snn.rectifiers import RECTIFIERS
from spikedoor.snn.signal import Signal
from spikedoor.testing import components
from spikedoor.testing.expect import Check, instance, refused, run, that
from spikedoor.testing.parts import CONVERTIBLE, build, equal_states, images, with_fields
from spikedoor.testing.samples import CLASSES, stripes
from spikedoor.victim import Blueprint, Stage, Victim

__all__ = ["CHECKS", "ann_for", "check_converter", "convert"]

M = TypeVar("M", bound=nn.Module)


def ann_for(converter: Converter, architecture: Architecture) -> Network:
    """Make an ANN with the activation that the converter needs, in fine levels if it has some."""
    activation: Any = RECTIFIERS[converter.trained_with or "relu"]
    fine = {"levels": 64} if "levels" in activation.model_fields else {}
    return build(architecture, activation=activation(**fine).build)


def convert(converter: Converter, ann: Network, steps: int = 8) -> Network:
    """Convert with few steps and few images."""
    return with_fields(converter, steps=8).convert(ann, [images(1), images(2)], steps)


def _modules(network: Network, kind: type[M]) -> dict[str, M]:
    return {name: module for name, module in network.named_modules() if isinstance(module, kind)}


@torch.no_grad()
def _output(network: Network, x: torch.Tensor, steps: int) -> torch.Tensor:
    return MeanCurrent().scores(network(Signal(x, steps, len(x))))[-1]


def puts_spiking_neurons_where_rectifiers_were(converter: Converter) -> None:
    """A spiking neuron stands where each rectifier was, norms are merged, none is in training."""
    for name, plan in CONVERTIBLE.items():
        ann = ann_for(converter, plan)
        made = convert(converter, ann)
        that(not _modules(made, Rectifier), f"rectifiers are left in {name}")
        same = _modules(made, Spiking).keys() == _modules(ann, Rectifier).keys()
        that(same, f"neurons stand elsewhere than rectifiers did in {name}")
        norms = [synapse for synapse in made.synapses() if synapse.norm is not None]
        that(not norms, f"norms are left in {name}")
        that(not any(m.training for m in made.modules()), f"{name} is left in training mode")


def neurons_are_those_it_names_at_positive_thresholds(converter: Converter) -> None:
    """Neurons are as `neuron` says, without leak, and each threshold is finite and above 0."""
    for name, plan in CONVERTIBLE.items():
        for path, neuron in _modules(convert(converter, ann_for(converter, plan)), Spiking).items():
            dynamics = neuron.dynamics()
            soft = converter.neuron.reset == "soft"
            that(dynamics.soft == soft, f"{path} of {name} has another reset")
            that((dynamics.keep, dynamics.gain) == (1, 1), f"{path} of {name} has a leak")
            height = float(dynamics.threshold)
            that(0 < height < math.inf, f"{path} of {name} has a threshold of {height}")
            that(height == float(dynamics.amplitude), f"{path} of {name} sends another height")


def leaves_the_ann_as_it_is(converter: Converter) -> None:
    """The ANN is not changed, not watched any more, and shares no memory with the result."""
    for name, plan in CONVERTIBLE.items():
        ann = ann_for(converter, plan)
        before, kept = copy.deepcopy(ann), images(3)
        expected = _output(ann, kept, 1)
        made = convert(converter, ann)
        that(equal_states(before, ann), f"the weights of {name} were changed")
        that(torch.equal(_output(ann, kept, 1), expected), f"{name} gives another output")
        both = (*_modules(ann, Rectifier).values(), *_modules(made, Spiking).values())
        that(all(layer.observer is None for layer in both), f"{name} is still observed")
        theirs = {value.data_ptr() for value in ann.state_dict().values()}
        ours = {value.data_ptr() for value in made.state_dict().values()}
        that(theirs.isdisjoint(ours), f"the result shares weights with {name}")


def is_reproducible_without_any_generator(converter: Converter) -> None:
    """Equal calls give equal networks and leave torch's global generator alone."""
    for name, plan in CONVERTIBLE.items():
        ann, state = ann_for(converter, plan), torch.get_rng_state()
        one, other = convert(converter, ann), convert(converter, ann)
        that(equal_states(one, other), f"two conversions of {name} differ")
        that(torch.equal(torch.get_rng_state(), state), "the global generator was used")


def comes_nearer_to_the_clipped_ann_with_more_steps(converter: Converter) -> None:
    """With T its output tends to the ANN whose rectifiers are clipped at the thresholds."""
    for name, plan in CONVERTIBLE.items():
        ann, x = ann_for(converter, plan), images(1)
        errors = []
        for steps in (20, 200):
            made = with_fields(converter, steps=8, reset="soft").convert(ann, [x], steps)
            expected = _output(_clipped(made, steps), x, 1)
            errors.append(float((_output(made, x, steps) - expected).abs().max()))
        near = errors[1] < errors[0] / 3
        that(near, f"{name} is off by {errors[0]:.3g} at T = 20, by {errors[1]:.3g} at T = 200")


class _Clipped(Rectifier):
    """A ReLU of a shifted current, with an upper limit."""

    def __init__(self, top: float, start: torch.Tensor) -> None:
        super().__init__()
        self.top, self.start = top, start

    def rectify(self, x: torch.Tensor) -> torch.Tensor:
        return (x + self.start).clamp(0, self.top)


def _clipped(made: Network, steps: int) -> Network:
    """Return the ANN that a converted network tends to, whose neurons start somewhere."""
    network = copy.deepcopy(made)
    for path, neuron in _modules(network, Spiking).items():
        network.set_submodule(path, _Clipped(float(neuron.threshold), neuron.initial / steps))
    return network


def is_told_layer_by_layer(converter: Converter) -> None:
    """The report tells threshold, rate and mean of every layer, in plain values."""
    for name, plan in CONVERTIBLE.items():
        ann, x = ann_for(converter, plan), images(1)
        made = convert(converter, ann)
        found = json.loads(json.dumps(report(ann, made, x, 8), allow_nan=False))
        neurons = _modules(made, Spiking)
        told = [layer["layer"] for layer in found["layers"]]
        that(told == list(neurons), f"the report of {name} tells other layers: {told}")
        for layer in found["layers"]:
            at, rate = f"{layer['layer']} of {name}", layer["rate"]
            that(layer["threshold"] == float(neurons[layer["layer"]].threshold), f"{at}: threshold")
            that(0 <= rate <= 1, f"{at}: a rate of {rate}")
            mean = rate * layer["threshold"]
            that(math.isclose(layer["snn_mean"], mean, rel_tol=1e-5), f"{at}: mean output")


def depends_on_the_steps_as_it_says(converter: Converter) -> None:
    """The network depends on T where `uses_steps` says so, and nowhere else."""
    ann = ann_for(converter, NETWORK)
    alike = equal_states(convert(converter, ann, 3), convert(converter, ann, 11))
    that(alike == (not converter.uses_steps), f"uses_steps is {converter.uses_steps}")


def more_steps_leave_less_error_in_every_layer(converter: Converter) -> None:
    """No layer is further from the ANN's at T = 64 than at T = 4."""
    ann, x = ann_for(converter, NETWORK), images(1)
    errors = []
    for steps in (4, 64):
        made = with_fields(converter, steps=8, reset="soft").convert(ann, [x], steps)
        errors.append([layer["error"] for layer in report(ann, made, x, steps)["layers"]])
    falls = all(late <= early for early, late in zip(*errors, strict=True))
    that(falls and errors[0] != errors[1], f"errors by layer {errors[0]}, then {errors[1]}")


def its_network_survives_the_file(converter: Converter) -> None:
    """A stage of its network is saved and loaded without a change."""
    blueprint = Blueprint(NETWORK, (1, 8, 8), CLASSES, converter.neuron, folded=True)
    network = convert(converter, ann_for(converter, NETWORK))
    stage = Stage("converted", blueprint, network, 8)
    with tempfile.TemporaryDirectory() as folder:
        loaded = Victim.load(Victim((stage,)).save(Path(folder) / "victim")).final
    that(equal_states(loaded.network, network), "other weights or thresholds came back")
    same = (loaded.predict(stripes(30)) == stage.predict(stripes(30))).all()
    that(same, "the loaded network predicts something else")


def refuses_what_it_cannot_convert(converter: Converter) -> None:
    """Networks that spike, share parts, have unknown modules or no calibration are refused."""
    spiking = NETWORK.build((1, 8, 8), 3, IF().build, seed=0)
    with refused("a spiking network", "conversion needs an ANN with ReLU"):
        convert(converter, spiking)
    with refused("no calibration images", "conversion needs calibration images"):
        converter.convert(ann_for(converter, NETWORK), [], 8)
    with refused("a network of bare ReLUs", r"does not know the module 'blocks\.0' \(Bare\)"):
        converter.check(ann_for(converter, PreActResNet(width=0.125)))
    ann: Any = ann_for(converter, NETWORK)
    ann.blocks[1].activation = ann.blocks[0].activation
    with refused("one activation twice", r"blocks\.0\.activation and blocks\.1\.activation"):
        convert(converter, ann)
    ann = ann_for(converter, ResNet(depth=20, width=0.5))
    ann.blocks[2].second.layer.weight = ann.blocks[1].second.layer.weight
    with refused("one weight twice", r"blocks\.1\.second\.layer\.weight and blocks\.2"):
        convert(converter, ann)
    for module in (nn.ReLU(), nn.Dropout(), nn.Sequential()):
        ann = ann_for(converter, NETWORK)
        ann.blocks.insert(1, module)
        kind = type(module).__name__
        with refused(f"a {kind} among the blocks", rf"'blocks\.1' \({kind}\)"):
            convert(converter, ann)


def refuses_max_pooling_unless_told_to_pool_spikes(converter: Converter) -> None:
    """Max pooling is refused, or done on spikes where `max_pool` asks for it."""
    ann = ann_for(converter, SmallConv(width=4, pool="max"))
    with refused("max pooling", r"max pooling in blocks\.0, blocks\.1: .*\"avg\""):
        convert(converter, ann)
    told = with_fields(converter, steps=8, max_pool="spikes").convert(ann, [images()], 8)
    pooled = report(ann, told, images(), 8)["max_pooled"]
    that(pooled == ["blocks.0", "blocks.1"], f"spikes are pooled in {pooled}")


def calibrates_in_evaluation_mode_whatever_mode_the_ann_is_in(converter: Converter) -> None:
    """An ANN in training mode gives the same network and stays in that mode."""
    ann = ann_for(converter, NETWORK)
    expected = convert(converter, ann)
    that(equal_states(convert(converter, ann.train()), expected), "another network")
    that(ann.training, "the ANN's mode was changed")


def takes_any_iterable_once(converter: Converter) -> None:
    """Calibration images may come from an iterator, which is read once."""
    ann = ann_for(converter, NETWORK)
    once = with_fields(converter, steps=8).convert(ann, iter([images(1), images(2)]), 8)
    that(equal_states(once, convert(converter, ann)), "another network than from a list")


NETWORK = CONVERTIBLE["small-conv"]
CHECKS: tuple[Check, ...] = (
    puts_spiking_neurons_where_rectifiers_were,
    neurons_are_those_it_names_at_positive_thresholds,
    leaves_the_ann_as_it_is,
    is_reproducible_without_any_generator,
    comes_nearer_to_the_clipped_ann_with_more_steps,
    is_told_layer_by_layer,
    depends_on_the_steps_as_it_says,
    more_steps_leave_less_error_in_every_layer,
    its_network_survives_the_file,
    refuses_what_it_cannot_convert,
    refuses_max_pooling_unless_told_to_pool_spikes,
    calibrates_in_evaluation_mode_whatever_mode_the_ann_is_in,
    takes_any_iterable_once,
)


def check_converter(member: Converter | type[Converter]) -> None:
    """Check what converters keep, on small networks of every plan that can be converted.

    Raises:
        AssertionError: Naming what it breaks.
    """
    run((*components.CHECKS, *CHECKS), instance(member, Converter))
