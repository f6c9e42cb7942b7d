"""What my-rule keeps, and that both of its trainings count."""

from my_plugin import MyRule

from spikedoor.data import Digits
from spikedoor.rules import Training
from spikedoor.rules.optimisers import Adam
from spikedoor.snn.networks import SmallConv
from spikedoor.testing import check_rule


def test_it_keeps_what_every_rule_keeps():
    check_rule(MyRule)


def test_every_field_decides_the_weights():
    rules = MyRule(), MyRule(first_steps=3), MyRule(then=Training(epochs=2)), MyRule(steps=6)
    decided = [str(rule.phases()[0].decided_by) for rule in rules]
    assert len(set(decided)) == len(rules)


def test_it_learns():
    data = Digits(train_limit=600).load()
    how = Training(epochs=6, batch=32, optimiser=Adam(lr=5e-3), validation=0.0, keep="last")
    then = how.model_copy(update={"epochs": 2})
    final = MyRule(training=how, then=then).fit(SmallConv(width=8), data.train).final
    assert (final.predict(data.test)[-1] == data.test.labels).mean() > 0.8
