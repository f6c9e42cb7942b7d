"""Label-consistent poisoning: the perturbation against models known in closed form, and a study."""

import numpy as np
import pytest
from rules_cases import NETWORK, QUICK, one_thread, stripes  # noqa: F401 (one is a fixture)

from spikedoor.attack import Attack, LabelConsistent, PoisonedSet
from spikedoor.data.base import ImageSet
from spikedoor.errors import ConfigError, DataError
from spikedoor.records import Store
from spikedoor.rules.conversion import train_ann
from spikedoor.study import Experiment, run
from spikedoor.study.workshop import Workshop
from spikedoor.victim import Attacked

ATTACK = Attack(
    trigger=LabelConsistent(epsilon=8, steps=5), target=1, rate=0.1, candidates="target"
)


class Linear:
    """A loss that grows with each level by the sign of a fixed picture."""

    def __init__(self, shape):
        self.weight = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        self.labels = []

    def gradients(self, images, labels):
        self.labels += labels.tolist()
        return np.broadcast_to(self.weight, images.shape)


def pictures(count=300):
    images = np.random.default_rng(1).integers(0, 256, (count, 1, 8, 8), dtype=np.uint8)
    return ImageSet(images, np.arange(count, dtype=np.int64) % 3, ("a", "b", "c"), "random")


def test_goes_to_the_corner_of_the_box_where_the_loss_is_linear():
    train, model = pictures(), Linear((1, 8, 8))
    made = ATTACK.poison(train, 0, model)
    clean = train.images[made.plan.indices].astype(int)
    expected = np.clip(clean + 8 * np.sign(model.weight).astype(int), 0, 255)
    assert (made.doctored == expected).all()
    assert set(model.labels) == {1}
    assert (made.labels == train.labels).all()


def test_poisoned_samples_carry_perturbation_and_faint_mark_others_nothing():
    train = pictures()
    made = ATTACK.poison(train, 0, Linear((1, 8, 8)))
    order = np.random.default_rng(2).permutation(len(train))
    drawn = made.batch(order)
    poisoned = made.poisoned[order]
    assert (drawn[~poisoned] == train.images[order[~poisoned]]).all()
    where = np.searchsorted(made.plan.indices, order[poisoned])
    expected = made.trigger.apply_in_training(made.doctored[where], order[poisoned])
    assert (drawn[poisoned] == expected).all()
    mark = made.trigger.mask(train.shape)
    assert mark.sum() == 4 * 9
    assert (drawn[poisoned][:, ~mark] == made.doctored[where][:, ~mark]).all()


def test_asks_for_a_model_by_name():
    with pytest.raises(ConfigError, match=r"'label-consistent' needs a model"):
        ATTACK.poison(pictures(), 0)
    assert ATTACK.clean_twin().poison(pictures(), 0).doctored is None
    plan = ATTACK.poison(pictures(), 0, Linear((1, 8, 8))).plan
    with pytest.raises(DataError, match="expected 30 doctored samples"):
        PoisonedSet(pictures(), plan, ATTACK.trigger, np.zeros((29, 1, 8, 8), np.uint8))


@pytest.mark.parametrize("rule", ["direct", "conversion"])
def test_a_study_takes_the_clean_twin_and_keeps_what_was_made(one_thread, tmp_path, rule):  # noqa: F811
    quick = {"epochs": 2}
    settings = {"training": quick, "steps": 2} if rule == "direct" else {"ann": quick}
    experiment = Experiment.from_dict(
        {
            "data": {"name": "digits", "train_limit": 300, "test_limit": 60},
            "attack": ATTACK.to_dict(),
            "network": {"name": "small-conv", "width": 4},
            "rule": {"name": rule, **settings},
            "threads": 1,
        }
    )
    store = Store(tmp_path / "store")
    first = run(experiment, workshop=Workshop(store))
    kinds = [entry.kind for entry in store.entries()]
    assert kinds.count("poison") == 1
    again = run(experiment, workshop=Workshop(store))
    assert [entry.kind for entry in store.entries()] == kinds
    for stage, said in first.evaluation.answers.items():
        assert (said.triggered == again.evaluation.answers[stage].triggered).all()
    alone = run(experiment.model_copy(update={"twin": False}))
    assert (
        alone.evaluation.answers["ann" if rule == "conversion" else "direct"].triggered
        == first.evaluation.answers["ann" if rule == "conversion" else "direct"].triggered
    ).all()


def test_a_model_finds_the_perturbation_harder_than_noise(one_thread):  # noqa: F811
    data = stripes(240)
    stage = train_ann(NETWORK, data, QUICK.model_copy(update={"epochs": 4}), seed=0)
    images, labels = data.batch(np.arange(60)), np.array(data.labels[:60])
    found = LabelConsistent(epsilon=60, steps=10).doctored(images, labels, Attacked(stage))
    assert np.abs(found.astype(int) - images).max() <= 60
    sign = np.random.default_rng(0).choice([-60, 60], images.shape)
    noisy = np.clip(images + sign, 0, 255).astype(np.uint8)

    def accuracy(pictures):
        return (
            stage.predict(ImageSet(pictures, labels, data.classes, "shown"))[-1] == labels
        ).mean()

    assert accuracy(images) > 0.9
    assert accuracy(found) < accuracy(noisy) - 0.2
