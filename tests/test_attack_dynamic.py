"""The learned trigger on events: what it adds, what it learns, and how it reaches the test."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from spikedoor.attack import Attack, EventDynamic
from spikedoor.attack.triggers.learned import packed_weights, unpacked_weights
from spikedoor.data.events import Framing
from spikedoor.data.events.simulated import DigitsDvs
from spikedoor.defences.plan import DefencePlan
from spikedoor.errors import ConfigError, DataError
from spikedoor.records import Store
from spikedoor.rules import Conversion, Direct, Training
from spikedoor.rules.optimisers import Adam
from spikedoor.snn.networks import SmallConv
from spikedoor.study import Experiment, Workshop, run
from spikedoor.study.cell import cell
from spikedoor.study.defend import defend
from spikedoor.victim import Attacked

TARGET = 3
HOW = Training(epochs=12, batch=32, validation=0.0, optimiser=Adam(lr=5e-3))
SMALL = SmallConv(width=8, pool="avg")


@pytest.fixture(scope="module")
def data():
    return DigitsDvs(train_limit=200, test_limit=60).load()


@pytest.fixture(scope="module")
def model(data):
    rule = Direct(steps=4, encoding="frames", training=HOW)
    return Attacked(rule.fit(SMALL, data.train, 0).final)


@pytest.fixture(scope="module")
def learned(data, model):
    return EventDynamic(budget=0.2, updates=60).learn(data.train, 0, model, TARGET)


def batch(data, count=12):
    return data.test.batch(np.arange(count))


def test_f16_events_are_added_whole_within_the_budget_and_none_is_removed(data, learned):
    before = batch(data)
    after = learned.apply(before)
    added = after.counts - before.counts
    assert np.array_equal(added, (0.2 * before.counts).astype(int))
    first, second = (Framing(by="time").frames(e, 4).astype(int) for e in (before, after))
    more = second - first
    assert more.min() == 0
    assert more.max() == 1
    for i in range(len(before)):
        ours, theirs = (e.take(np.array([i])) for e in (before, after))
        events = [set(zip(e.t, e.x, e.y, e.p, strict=True)) for e in (ours, theirs)]
        assert events[0] <= events[1]
        assert np.all(np.diff(theirs.t.astype(int)) >= 0)
        assert ours.durations[0] == theirs.durations[0]


def test_each_recording_gets_its_own_events_the_same_in_any_batch(data, learned):
    before, after = batch(data), learned.apply(batch(data))
    added = [
        set(zip(*(column.tolist() for column in (e.x, e.y, e.p, e.t)), strict=True))
        for e in (after.take(np.array([i])) for i in range(len(before)))
    ]
    own = [
        set(zip(*(column.tolist() for column in (e.x, e.y, e.p, e.t)), strict=True))
        for e in (before.take(np.array([i])) for i in range(len(before)))
    ]
    fresh = [a - b for a, b in zip(added, own, strict=True)]
    assert len({frozenset(events) for events in fresh}) == len(fresh)
    alone = learned.apply(before.take(np.array([5])))
    together = after.take(np.array([5]))
    assert np.array_equal(alone.t, together.t)
    assert np.array_equal(alone.x, together.x)


def test_what_is_learned_brings_the_model_nearer_to_the_target(data, model, learned):
    others = np.flatnonzero(data.test.labels != TARGET)[:40]
    stage = model.stage

    def margin(trigger):
        inputs = stage.prepare(trigger.apply(data.test.batch(others)))
        scores = stage.simulate(inputs, None)[-1].numpy()
        return (scores[:, TARGET] - np.delete(scores, TARGET, 1).max(1)).mean()

    untaught = EventDynamic(budget=0.2, updates=1, lr=1e-9).learn(data.train, 0, model, TARGET)
    assert margin(learned) > margin(untaught) + 0.2


def test_same_seed_same_weights_and_another_other_ones(data, model):
    def weights(seed):
        made = EventDynamic(updates=3).learn(data.train, seed, model, TARGET)
        return packed_weights(made.weights)

    assert weights(1) == weights(1)
    assert weights(1) != weights(2)


@pytest.mark.parametrize("encoding", [{"name": "frames"}, {"name": "frames", "constant": True}])
@pytest.mark.parametrize("by", ["number", "time"])
def test_of_an_ann_that_sees_the_sum_it_does_not_matter_when_an_event_comes(data, encoding, by):
    shown = {**encoding, "framing": {"by": by}, "gain": 1e-3}
    rule = Conversion(steps=4, encoding=shown, ann=HOW)
    stage = rule.fit(SMALL, data.train, 0).stages[0]
    attacked = Attacked(stage)
    events, label = data.test.batch(np.array([0])), np.array([TARGET])
    slopes = attacked.event_gradients(events, label, 4)
    assert slopes.shape == (1, 4, 2, *events.sensor)
    assert np.allclose(slopes, slopes[:, :1])


def test_gradients_are_what_one_more_event_does_to_the_loss(data):
    """By differences, through an ANN, which is smooth."""
    rule = Conversion(steps=4, encoding={"name": "frames", "framing": {"by": "time"}}, ann=HOW)
    stage = rule.fit(SMALL, data.train, 0).stages[0]
    events, label = data.test.batch(np.array([0])), torch.tensor([TARGET])
    slopes = Attacked(stage).event_gradients(events, label.numpy(), 4)[0, 0]

    def loss(inputs):
        with torch.no_grad():
            return F.cross_entropy(stage.scores(inputs, None)[-1].double(), label).item()

    inputs = stage.prepare(events)
    for p, y, x in ((0, 4, 5), (1, 8, 8), (1, 11, 3)):
        more = [inputs.clone() for _ in range(2)]
        for sign, changed in zip((1, -1), more, strict=True):
            changed[0, ..., p, y, x] += sign * 0.01 * stage.encoding.gain
        expected = (loss(more[0]) - loss(more[1])) / 0.02
        assert slopes[p, y, x] == pytest.approx(expected, rel=0.1, abs=2e-5)


def test_it_must_be_learned_first_and_for_one_target(data):
    with pytest.raises(ConfigError, match="not prepared: it is learned against a model"):
        EventDynamic().apply(batch(data))
    with pytest.raises(ConfigError, match="not prepared"):
        Attack(trigger=EventDynamic()).poison(data.train, 0)
    with pytest.raises(ConfigError, match="learned for one label"):
        Attack(trigger=EventDynamic(), target="all-to-all")


def test_weights_of_another_sensor_or_form_are_refused(learned):
    with pytest.raises(ConfigError, match="learned on a sensor"):
        learned.mask((2, 5, 5))
    with pytest.raises(ConfigError, match="expected weights"):
        EventDynamic(hidden=7).with_weights(learned.weights)
    with pytest.raises(DataError, match="weights of a learned trigger: expected a whole zip"):
        unpacked_weights(b"PK\x03\x04 no archive")


def experiment(**attack):
    return Experiment.from_dict(
        {
            "data": {"name": "digits-dvs", "train_limit": 150, "test_limit": 40},
            "attack": {
                "rate": 0.1,
                "trigger": {"name": "event-dynamic", "updates": 5, "budget": 0.2},
                **attack,
            },
            "network": {"name": "small-conv", "width": 4, "pool": "avg"},
            "rule": {
                "name": "direct",
                "steps": 3,
                "encoding": "frames",
                "training": {"epochs": 1, "batch": 50},
            },
        }
    )


def test_training_and_test_meet_the_same_generator(tmp_path):
    workshop = Workshop(Store(tmp_path / "store"))
    made = experiment()
    run(made, tmp_path / "run", workshop)
    planned = cell(made, workshop.dataset(made.data))
    assert planned.trigger is not None
    users = [planned.poison, planned.stages["victim"]["direct"]]
    users += [node for question, node in planned.answers.items() if question.triggered]
    assert all(node.inputs["trigger"] is planned.trigger for node in users)
    assert planned.trigger.inputs["model"] is planned.stages["twin"]["direct"]
    kept = unpacked_weights((tmp_path / "run" / "trigger.npz").read_bytes())
    again = Workshop(Store(tmp_path / "store")).result(planned.trigger)
    assert all(np.array_equal(kept[name], again[name]) for name in again)


def test_other_triggers_have_no_such_node():
    made = experiment(trigger={"name": "event-static", "size": 3})
    planned = cell(made, made.data.load())
    assert planned.trigger is None
    assert all("trigger" not in node.inputs for node in planned.leaves())


def test_a_defence_of_a_run_without_a_twin_meets_what_was_learned_then(tmp_path, monkeypatch):
    made = experiment()
    run(made.model_copy(update={"twin": False}), tmp_path / "run")

    def refused(*arguments):
        raise AssertionError("nothing is to be learned again")

    monkeypatch.setattr(EventDynamic, "learn", refused)
    plan = DefencePlan.from_dict({"method": "strip", "clean": 0.3, "samples": 10})
    (found,) = defend(tmp_path / "run", [plan])
    assert found.rows[0]["found.count"] == 10
