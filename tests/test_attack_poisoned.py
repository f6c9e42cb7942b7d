"""Poisoned views, and the attack that makes them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from spikedoor.attack import (
    AdaptiveBlend,
    AllToAll,
    AllToOne,
    Attack,
    Patch,
    PoisonedSet,
    PoisonPlan,
    SourceSpecific,
    WaNet,
)
from spikedoor.attack.triggers import Trigger
from spikedoor.data.base import ImageSet, SampleSet
from spikedoor.errors import ConfigError, DataError

NAMES = ("zero", "one", "two", "three")


def image_set(count: int = 40, name: str = "random", seed: int = 0) -> ImageSet:
    images = np.random.default_rng(seed).integers(0, 200, (count, 1, 6, 6), dtype=np.uint8)
    return ImageSet(images, np.arange(count, dtype=np.int64) % 4, NAMES, name)


@dataclass
class Watched:
    """A set that counts what is drawn from it."""

    base: ImageSet
    drawn: list[int] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.base, name)

    def __len__(self) -> int:
        return len(self.base)

    def batch(self, indices: np.ndarray) -> np.ndarray:
        self.drawn.append(len(indices))
        return self.base.batch(indices)


class RandomPixel(Trigger):
    """A trigger with a random part, for these tests only."""

    name = "random-pixel"
    at: int | None = None

    def prepare(self, train: SampleSet, seed: int) -> "RandomPixel":
        return self if self.at is not None else RandomPixel(at=seed % train.shape[2])

    def mask(self, shape: tuple[int, int, int]) -> np.ndarray:
        if self.at is None:
            raise ConfigError("trigger 'random-pixel' is not prepared")
        covered = np.zeros(shape, dtype=np.bool_)
        covered[:, 0, self.at] = True
        return covered

    def apply(self, images: np.ndarray) -> np.ndarray:
        return np.where(self.mask(images.shape[1:]), np.uint8(255), images)


EVERY = np.arange(40)


def test_poisoned_rows_and_only_those_carry_trigger_and_label():
    train = image_set()
    poisoned = Attack(trigger=Patch(size=2), target=3, rate=0.25).poison(train, seed=1)
    chosen = poisoned.plan.indices
    assert len(chosen) == 10
    assert np.flatnonzero(poisoned.poisoned).tolist() == chosen.tolist()
    images, clean = poisoned.batch(EVERY), train.batch(EVERY)
    assert (images[chosen][:, :, 4:, 4:] == 255).all()
    changed = (images != clean).any(axis=(1, 2, 3))
    assert np.flatnonzero(changed).tolist() == chosen.tolist()
    outside = ~Patch(size=2).mask((1, 6, 6))
    assert (images[:, outside] == clean[:, outside]).all()
    assert (poisoned.labels[chosen] == 3).all()
    kept = ~poisoned.poisoned
    assert (poisoned.labels[kept] == train.labels[kept]).all()


def test_batches_agree_with_the_whole_whatever_their_order():
    poisoned = Attack(rate=0.5).poison(image_set(), seed=2)
    whole = poisoned.batch(EVERY)
    order = np.random.default_rng(5).permutation(40)
    assert (poisoned.batch(order) == whole[order]).all()
    assert (poisoned.batch(np.array([7, 7, 3])) == whole[[7, 7, 3]]).all()
    assert poisoned.batch(EVERY[:0]).shape == (0, 1, 6, 6)


def test_base_stays_and_true_labels_stay_readable():
    train = image_set()
    before_images, before_labels = train.batch(EVERY), train.labels.copy()
    poisoned = Attack(rate=1.0).poison(train, seed=0)
    poisoned.batch(EVERY)[:] = 0
    assert (poisoned.labels == 0).all()
    assert poisoned.clean is train
    assert (train.batch(EVERY) == before_images).all()
    assert (train.labels == before_labels).all()
    with pytest.raises(ValueError, match="read-only"):
        poisoned.labels[0] = 1


def test_rate_zero_is_bit_identical_to_clean():
    train = image_set()
    twin = Attack(rate=0.3, target=2).clean_twin()
    assert (twin.rate, twin.target, twin.trigger) == (0.0, AllToOne(label=2), Patch())
    clean = twin.poison(train, seed=0)
    assert clean.plan.count == 0
    assert clean.labels.tobytes() == train.labels.tobytes()
    assert clean.batch(EVERY).tobytes() == train.batch(EVERY).tobytes()


def test_views_are_lazy():
    watched = Watched(image_set())
    poisoned = Attack(rate=0.5).poison(watched, seed=0)
    challenge = Attack().challenge(watched)
    assert (len(poisoned), len(poisoned.labels), len(challenge.labels)) == (40, 40, 30)
    assert watched.drawn == []
    poisoned.batch(np.arange(8))
    challenge.batch(np.arange(5))
    assert watched.drawn == [8, 5]


def test_views_say_what_their_base_says():
    train = image_set(name="here")
    for view in (Attack().poison(train, seed=0), Attack().challenge(train)):
        assert (view.name, view.shape, view.classes) == ("here", (1, 6, 6), NAMES)


def test_challenge_has_no_sample_of_its_target_class():
    test = image_set()
    challenge = Attack(target=2).challenge(test)
    assert len(challenge) == 30
    assert (challenge.true_labels != 2).all()
    assert (challenge.targets == 2).all()
    assert (challenge.labels == challenge.true_labels).all()
    assert challenge.indices.tolist() == np.flatnonzero(test.labels != 2).tolist()
    assert (challenge.true_labels == test.labels[challenge.indices]).all()
    expected = Patch().apply(test.batch(challenge.indices))
    assert (challenge.batch(np.arange(30)) == expected).all()
    assert (challenge.batch(np.array([29, 4])) == expected[[29, 4]]).all()


def test_challenge_with_the_target_class_on_demand():
    challenge = Attack(target=2).challenge(image_set(), include_target=True)
    assert len(challenge) == 40
    assert challenge.indices.tolist() == list(range(40))
    assert (challenge.targets == 2).all()
    assert (challenge.true_labels == 2).sum() == 10


def test_a_source_specific_rule_attacks_its_source_only():
    attack = Attack(
        target=SourceSpecific(sources=(1,), label=3), rate=0.25, candidates="non-target"
    )
    challenge = attack.challenge(image_set())
    assert (challenge.true_labels == 1).all()
    assert (challenge.targets == 3).all()
    poisoned = attack.poison(image_set(), seed=0)
    assert poisoned.plan.indices.tolist() == list(range(1, 40, 4))


def test_all_to_all_attacks_every_sample_towards_the_next_class():
    challenge = Attack(target=AllToAll()).challenge(image_set())
    assert len(challenge) == 40
    assert (challenge.targets == (challenge.true_labels + 1) % 4).all()


def test_clean_label_poison_shows_the_trigger_and_no_label_changes():
    train = image_set()
    poisoned = Attack(target=2, rate=0.2, candidates="target").poison(train, seed=0)
    chosen = poisoned.plan.indices
    assert (poisoned.labels == train.labels).all()
    assert (train.labels[chosen] == 2).all()
    changed = (poisoned.batch(EVERY) != train.batch(EVERY)).any(axis=(1, 2, 3))
    assert np.flatnonzero(changed).tolist() == chosen.tolist()


def test_cover_samples_show_the_trigger_and_keep_their_label():
    train = image_set()
    attack = Attack(trigger=Patch(size=2), target=3, rate=0.25, cover=0.3)
    poisoned = attack.poison(train, seed=1)
    poison, cover = poisoned.plan.indices, poisoned.plan.cover
    assert (len(poison), len(cover)) == (10, 12)
    assert np.flatnonzero(poisoned.covered).tolist() == cover.tolist()
    assert not (poisoned.covered & poisoned.poisoned).any()
    assert (poisoned.labels[cover] == train.labels[cover]).all()
    images, clean = poisoned.batch(EVERY), train.batch(EVERY)
    changed = np.flatnonzero((images != clean).any(axis=(1, 2, 3)))
    assert changed.tolist() == sorted([*poison.tolist(), *cover.tolist()])
    assert (images[cover] == Patch(size=2).apply(clean[cover])).all()
    twin = attack.clean_twin().poison(train, seed=1)
    assert (twin.batch(EVERY) == clean).all()


def test_training_shows_the_training_form_and_test_the_other():
    train = image_set()
    attack = Attack(trigger=AdaptiveBlend(grid=2, alpha=0.5), rate=0.5, cover=0.2)
    attack = attack.prepare(train, seed=3)
    poisoned, challenge = attack.poison(train, seed=3), attack.challenge(train)
    images, clean = poisoned.batch(EVERY), train.batch(EVERY)
    for chosen in (poisoned.plan.indices, poisoned.plan.cover):
        expected = attack.trigger.apply_in_training(clean[chosen], chosen)
        assert (images[chosen] == expected).all()
    order = np.random.default_rng(0).permutation(40)
    assert (poisoned.batch(order) == images[order]).all()
    expected = attack.trigger.apply(clean[challenge.indices])
    assert (challenge.batch(np.arange(len(challenge))) == expected).all()


def test_cover_may_differ_from_poison():
    train = image_set()
    poisoned = Attack(trigger=WaNet(strength=3), rate=0.2, cover=0.2).poison(train, seed=0)
    trigger, cover = poisoned.trigger, poisoned.plan.cover
    noisy = trigger.apply_to_cover(train.batch(cover), cover)
    assert (poisoned.batch(cover) == noisy).all()
    assert (noisy != trigger.apply(train.batch(cover))).any(axis=(1, 2, 3)).all()


def test_a_test_set_that_cannot_be_attacked_is_refused():
    only = image_set().subset(np.arange(0, 40, 4))
    with pytest.raises(DataError, match="of 10, each has its target as its true class"):
        Attack(target=0).challenge(only)


def test_prepared_trigger_travels_from_training_to_test():
    train, test = image_set(), image_set(name="test", seed=9)
    unprepared = Attack(trigger=RandomPixel(), rate=0.5)
    with pytest.raises(ConfigError, match="not prepared"):
        unprepared.challenge(test)
    attack = unprepared.prepare(train, seed=4)
    assert attack.trigger == RandomPixel(at=4)
    assert attack.prepare(train, seed=5) == attack
    poisoned, challenge = attack.poison(train, seed=1), attack.challenge(test)
    assert poisoned.trigger == challenge.trigger == RandomPixel(at=4)
    assert (poisoned.batch(poisoned.plan.indices)[:, 0, 0, 4] == 255).all()
    assert (challenge.batch(np.arange(len(challenge)))[:, 0, 0, 4] == 255).all()
    assert unprepared.poison(train, seed=4).trigger == RandomPixel(at=4)


def test_views_refuse_indices_outside():
    poisoned, challenge = Attack().poison(image_set(), 0), Attack().challenge(image_set())
    for view, wrong in ((poisoned, 40), (challenge, 30), (challenge, -1)):
        with pytest.raises(DataError, match=r"expected indices in 0\.\."):
            view.batch(np.array([wrong]))


def test_what_does_not_fit_is_refused_before_a_batch_is_drawn():
    train = image_set()
    with pytest.raises(ConfigError, match=r"9x9 square .* does not fit into a 6x6 image"):
        Attack(trigger=Patch(size=9)).poison(train, seed=0)
    with pytest.raises(ConfigError, match="9x9 square"):
        Attack(trigger=Patch(size=9)).challenge(train)
    with pytest.raises(ConfigError, match="label 4 is not one of the 4 classes"):
        Attack(target=4).poison(train, seed=0)
    with pytest.raises(ConfigError, match="label 4 is not one of the 4 classes"):
        Attack(target=4).challenge(train)


def test_a_plan_for_another_set_is_refused():
    train = image_set()
    short = PoisonPlan(np.array([0]), np.array([0]), total=10, rate=0.1, seed=0)
    with pytest.raises(DataError, match="plan for 10 samples, but 'random' has 40"):
        PoisonedSet(train, short, Patch())
    wrong = PoisonPlan(np.arange(4), np.full(4, 4), total=40, rate=0.1, seed=0)
    with pytest.raises(DataError, match="label 4, but 'random' has 4 classes"):
        PoisonedSet(train, wrong, Patch())
