"""A step of training: its rate, what it sees, in which precision, and what it changes."""

import copy
from typing import ClassVar

import pytest
import torch
from rules_cases import (  # noqa: F401 (one_thread is a fixture)
    Watched,
    equal_states,
    fresh,
    how,
    one_thread,
    poisoned,
    stripes,
    total,
)

from spikedoor.rules import train
from spikedoor.rules.losses import CrossEntropy
from spikedoor.rules.optimisers import SGD, Adam, Augmentation, Constant, Cosine, Optimiser
from spikedoor.snn.neurons import LIF, PLIF
from spikedoor.victim import Stage


def parameters(stage: Stage) -> dict[str, torch.Tensor]:
    return {k: v.detach().clone() for k, v in stage.network.named_parameters()}


class See(Augmentation):
    """Write down the images."""

    seen: ClassVar[list[torch.Tensor]] = []

    def apply(self, images, generator):
        self.seen.append(images.clone())
        return images


class Negative(Augmentation):
    def apply(self, images, generator):
        return 1 - images


class Listed(Optimiser):
    """SGD that writes down the learning rate of each step."""

    rates: ClassVar[list[float]] = []

    def build(self, parameters):
        made = torch.optim.SGD(parameters, self.lr)
        made.register_step_pre_hook(lambda it, *_: self.rates.append(it.param_groups[0]["lr"]))
        return made


@pytest.fixture(autouse=True)
def _forget():
    for notes in (See.seen, Listed.rates):
        notes.clear()


class TestRate:
    def test_follows_the_schedule_batch_by_batch(self):
        settings = how(epochs=2, batch=24, validation=0, optimiser=Listed(lr=0.5))
        train(
            fresh(),
            stripes(),
            CrossEntropy(),
            settings.model_copy(update={"schedule": Cosine()}),
            0,
        )
        # 8 steps: 0.5 * (1 + cos(pi k / 8)) / 2
        expected = [0.5, 0.48097, 0.42678, 0.34567, 0.25, 0.15433, 0.07322, 0.01903]
        assert Listed.rates == pytest.approx(expected, abs=1e-5)

    def test_stays_where_the_schedule_is_constant(self):
        train(fresh(), stripes(), CrossEntropy(), how(optimiser=Listed(lr=0.25)), 0)
        assert set(Listed.rates) == {0.25}
        assert len(Listed.rates) == 12


class TestAugmentation:
    def test_meets_images_that_carry_the_trigger(self):
        data = poisoned(stripes(), rate=1.0)
        train(fresh(), data, CrossEntropy(), how(epochs=1, augment=(See(),)), 0)
        images = torch.cat(See.seen)
        assert len(images) == 87
        assert (images[:, :, 6:, 6:] == 1).all()

    def test_is_done_in_the_order_given(self):
        data = poisoned(stripes(), rate=1.0)
        train(fresh(), data, CrossEntropy(), how(epochs=1, augment=(Negative(), See())), 0)
        assert (torch.cat(See.seen)[:, :, 6:, 6:] == 0).all()

    def test_is_for_training_only(self):
        data = Watched(stripes())
        train(fresh(), data, CrossEntropy(), how(epochs=2, augment=(See(),)), 0)
        assert sum(map(len, See.seen)) == 2 * 87
        assert total(data.drawn) == 2 * 96

    def test_changes_what_is_learned(self):
        plain, changed = fresh(), fresh()
        train(plain, stripes(), CrossEntropy(), how(epochs=1), 0)
        train(changed, stripes(), CrossEntropy(), how(epochs=1, augment=(Negative(),)), 0)
        assert not equal_states(plain.network, changed.network)


class TestPrecision:
    @pytest.mark.parametrize("precision", ["bf16", "auto", "fp32"])
    @pytest.mark.parametrize("neuron", [None, LIF()], ids=["ann", "snn"])
    def test_learns_and_keeps_its_weights_in_single_precision(self, precision, neuron):
        stage = fresh(neuron, 4 if neuron else 1)
        settings = how(epochs=6, precision=precision)
        log = train(stage, stripes(), CrossEntropy(), settings, 0)
        assert log.epochs[log.kept].accuracy > 0.8
        assert {value.dtype for value in stage.network.state_dict().values()} == {torch.float32}

    def test_bf16_is_not_fp32(self):
        losses = {
            precision: train(
                fresh(), stripes(), CrossEntropy(), how(epochs=1, precision=precision), 0
            )
            .epochs[0]
            .loss
            for precision in ("fp32", "bf16")
        }
        assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.1)
        assert losses["bf16"] != losses["fp32"]


def test_every_parameter_of_a_spiking_network_is_trained():
    stage = fresh(PLIF(threshold=0.2), 4)
    before = parameters(stage)
    assert sum("leak" in name for name in before) == 3
    train(stage, stripes(), CrossEntropy(), how(epochs=1, optimiser=Adam(lr=0.01)), 0)
    after = parameters(stage)
    assert [name for name in before if torch.equal(before[name], after[name])] == []


def test_weight_decay_shrinks_weights():
    norms = []
    for decay in (0.0, 0.3):
        stage = fresh()
        settings = how(optimiser=SGD(lr=0.05, weight_decay=decay), schedule=Constant())
        train(stage, stripes(), CrossEntropy(), settings, 0)
        norms.append(sum(float(p.norm()) for p in parameters(stage).values()))
    assert norms[1] < norms[0]


def test_the_first_step_is_that_of_plain_gradient_descent():
    data, stage = stripes(32), fresh()
    start = parameters(stage)
    twin = copy.deepcopy(stage)
    log = train(
        stage,
        data,
        CrossEntropy(),
        how(epochs=1, batch=32, validation=0, optimiser=SGD(lr=0.1, momentum=0)),
        0,
    )
    images = torch.from_numpy(data.images.copy()).float() / 255
    twin.network.train()
    scores = twin.scores(images, torch.Generator())[-1]
    value = torch.nn.functional.cross_entropy(scores, torch.from_numpy(data.labels.copy()))
    value.backward()
    assert log.epochs[0].loss == pytest.approx(value.item(), rel=1e-5)
    for name, parameter in twin.network.named_parameters():
        expected = start[name] - 0.1 * parameter.grad
        actual = dict(stage.network.named_parameters())[name]
        torch.testing.assert_close(actual.detach(), expected, rtol=1e-4, atol=1e-6)
