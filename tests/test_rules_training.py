"""The training loop: what it draws, what it minimises, and which weights it leaves."""

import copy
import dataclasses
import math
from typing import ClassVar

import numpy as np
import pytest
import torch
from rules_cases import (  # noqa: F401 (one_thread is a fixture)
    QUICK,
    Watched,
    equal_states,
    fresh,
    how,
    one_thread,
    poisoned,
    stripes,
)

from spikedoor.rules import train
from spikedoor.rules.losses import CrossEntropy, Loss
from spikedoor.rules.optimisers import SGD, Schedule
from spikedoor.snn.neurons import LIF


class Spy(Loss):
    """Cross-entropy that writes down what it is given; not a number from call ``bad`` on."""

    seen: ClassVar[list[tuple[torch.Tensor, float]]] = []
    bad: int = 10**9

    def value(self, currents, scores, labels):
        value = CrossEntropy().value(currents, scores, labels)
        self.seen.append((labels.clone(), value.item()))
        return value * math.nan if len(self.seen) > self.bad else value


class Ruin(Schedule):
    """Steps that destroy the network in the last half of the run."""

    def factor(self, progress):
        return 1.0 if progress < 0.5 else 1000.0


@pytest.fixture(autouse=True)
def _forget():
    Spy.seen.clear()


class TestSplit:
    @pytest.mark.parametrize(
        ("count", "share", "held"),
        [(96, 0.1, 9), (96, 0.25, 24), (50, 0.5, 25), (100, 0.29, 29), (9, 0.1, 0), (96, 0.0, 0)],
    )
    def test_sizes_are_exact_and_the_parts_disjoint(self, count, share, held):
        data = Watched(stripes(count))
        train(fresh(), data, CrossEntropy(), how(epochs=1, batch=count, validation=share), 0)
        fitted, *validated = data.drawn
        assert [len(part) for part in validated] == [held] * (held > 0)
        assert sorted(np.concatenate([fitted, *validated])) == list(range(count))

    def test_equal_for_every_stage_and_settings_of_a_seed(self):
        held = []
        for stage, settings in (
            (fresh(), how(epochs=1)),
            (fresh(LIF(), 2), how(epochs=1, batch=40)),
            (dataclasses.replace(fresh(), name="finetuned"), how(epochs=1, keep="last")),
        ):
            data = Watched(stripes())
            train(stage, data, CrossEntropy(), settings, 5)
            held.append(data.drawn[-1].tolist())
        assert held[0] == held[1] == held[2]
        other = Watched(stripes())
        train(fresh(), other, CrossEntropy(), how(epochs=1), 6)
        assert other.drawn[-1].tolist() != held[0]

    def test_an_epoch_draws_each_sample_once_in_another_order(self):
        data = Watched(stripes(64))
        train(fresh(), data, CrossEntropy(), how(epochs=2, validation=0), 0)
        first, second = np.concatenate(data.drawn[:4]), np.concatenate(data.drawn[4:])
        assert sorted(first) == sorted(second) == list(range(64))
        assert first.tolist() != second.tolist()

    def test_a_last_batch_of_one_is_left_out_as_no_norm_can_be_taken_of_it(self):
        data = Watched(stripes(33))
        train(fresh(), data, CrossEntropy(), how(epochs=1, validation=0), 0)
        assert [len(batch) for batch in data.drawn] == [16, 16]

    def test_order_depends_on_the_seed(self):
        orders = []
        for seed in (1, 1, 2):
            data = Watched(stripes(32))
            train(fresh(), data, CrossEntropy(), how(epochs=1, validation=0), seed)
            orders.append(np.concatenate(data.drawn).tolist())
        assert orders[0] == orders[1] != orders[2]


class TestLabels:
    def test_are_those_of_the_set_poisoned_or_not(self):
        data = poisoned(stripes(), rate=0.5)
        watched = Watched(data)
        train(fresh(), watched, Spy(), how(epochs=1), 0)
        drawn = np.concatenate(watched.drawn[:-1])
        seen = torch.cat([labels for labels, _ in Spy.seen]).numpy()
        assert (data.labels[drawn] != data.clean.labels[drawn]).any()
        assert (seen == data.labels[drawn]).all()

    def test_validation_is_judged_by_them_too(self):
        data = poisoned(stripes(), rate=1.0, target=2)
        stage = fresh()
        log = train(stage, data, CrossEntropy(), QUICK, 0)
        assert log.epochs[-1].accuracy == 1
        assert (stage.predict(data) == 2).all()

    def test_the_set_is_left_alone(self):
        data = stripes()
        images, labels = data.images.tobytes(), data.labels.tobytes()
        train(fresh(), data, CrossEntropy(), QUICK, 0)
        assert (data.images.tobytes(), data.labels.tobytes()) == (images, labels)


class TestLog:
    @pytest.mark.parametrize("count", [64, 40, 33], ids=["even", "uneven", "one-left-out"])
    def test_loss_is_the_mean_over_the_samples_trained_on(self, count):
        log = train(fresh(), stripes(count), Spy(), how(epochs=1, validation=0), 0)
        weights = [len(labels) for labels, _ in Spy.seen]
        expected = np.average([value for _, value in Spy.seen], weights=weights)
        assert log.epochs[0].loss == pytest.approx(expected, rel=1e-6)

    def test_time_runs_on_and_the_best_comes_no_later_than_the_end(self):
        log = train(fresh(), stripes(), CrossEntropy(), how(epochs=3), 0)
        seconds = [epoch.seconds for epoch in log.epochs]
        assert 0 < seconds[0] < seconds[1] < seconds[2] == log.seconds
        assert log.seconds_to_best == seconds[log.kept]
        plain = log.to_dict()
        assert [entry["seconds"] for entry in plain["epochs"]] == seconds
        assert (plain["kept"], plain["finite"]) == (log.kept, True)

    def test_no_epochs_no_training(self):
        stage = fresh()
        before = copy.deepcopy(stage.network)
        log = train(stage, stripes(), CrossEntropy(), how(epochs=0), 0)
        assert (log.epochs, log.kept, log.finite, log.seconds_to_best) == ((), None, True, 0.0)
        assert equal_states(before, stage.network)


class TestKeptEpoch:
    def test_best_keeps_the_weights_that_gave_the_logged_accuracy(self):
        data, stage = Watched(stripes()), fresh()
        settings = how(epochs=4, schedule=Ruin(), optimiser=SGD(lr=0.05))
        log = train(stage, data, CrossEntropy(), settings, 0)
        held = data.drawn[-1]
        accuracies = [epoch.accuracy for epoch in log.epochs]
        assert accuracies[log.kept] == max(accuracies) > accuracies[-1]
        again = stage.predict(data, 0, held)[-1] == data.labels[held]
        assert again.mean() == log.epochs[log.kept].accuracy

    def test_last_keeps_the_last_even_if_it_is_worse(self):
        data, stage = Watched(stripes()), fresh()
        settings = how(epochs=4, schedule=Ruin(), optimiser=SGD(lr=0.05), keep="last")
        log = train(stage, data, CrossEntropy(), settings, 0)
        held = data.drawn[-1]
        again = stage.predict(data, 0, held)[-1] == data.labels[held]
        assert log.kept == 3
        assert again.mean() == log.epochs[-1].accuracy
        assert log.epochs[-1].accuracy < max(epoch.accuracy for epoch in log.epochs)

    def test_of_equals_the_later_is_best(self):
        log = train(fresh(), stripes(), CrossEntropy(), how(epochs=5), 0)
        accuracies = [epoch.accuracy for epoch in log.epochs]
        assert accuracies.count(1.0) > 1
        assert log.kept == 4
        assert accuracies[-1] == 1.0

    def test_without_validation_the_last(self):
        stages = {keep: fresh() for keep in ("best", "last")}
        for keep, stage in stages.items():
            log = train(stage, stripes(), CrossEntropy(), how(validation=0, keep=keep), 0)
            assert log.kept == 1
            assert all(epoch.accuracy is None for epoch in log.epochs)
        assert equal_states(stages["best"].network, stages["last"].network)

    def test_the_network_is_left_in_evaluation_mode(self):
        stage = fresh()
        train(stage, stripes(), CrossEntropy(), how(epochs=1, validation=0), 0)
        assert not any(module.training for module in stage.network.modules())


class TestLossThatIsNotFinite:
    """Six batches an epoch; the loss is not a number from batch 2 of epoch 1 on."""

    settings = how(epochs=3, validation=0)
    spoilt = Spy(bad=7)

    def test_is_told_and_ends_the_training(self):
        log = train(fresh(), stripes(), self.spoilt, self.settings, 0)
        assert not log.finite
        assert len(log.epochs) == 1
        assert log.to_dict()["finite"] is False

    def test_ends_it_with_that_epoch(self):
        train(fresh(), stripes(), self.spoilt, self.settings, 0)
        assert len(Spy.seen) == 12

    def test_leaves_the_weights_of_the_epoch_that_the_log_calls_kept(self):
        expected, stage = fresh(), fresh()
        train(expected, stripes(), CrossEntropy(), how(epochs=1, validation=0), 0)
        log = train(stage, stripes(), self.spoilt, self.settings, 0)
        assert log.kept == 0
        assert equal_states(expected.network, stage.network)

    def test_leaves_the_network_in_evaluation_mode(self):
        stage = fresh()
        train(stage, stripes(), self.spoilt, self.settings, 0)
        assert not any(module.training for module in stage.network.modules())

    def test_in_the_first_epoch_keeps_none(self):
        log = train(fresh(), stripes(), Spy(bad=0), self.settings, 0)
        assert (log.finite, log.kept, log.epochs) == (False, None, ())

    def test_comes_from_a_learning_rate_far_too_large(self):
        log = train(fresh(), stripes(), CrossEntropy(), how(optimiser=SGD(lr=1e30)), 0)
        assert not log.finite
