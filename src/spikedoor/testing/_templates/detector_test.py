"""What my-detector keeps, and what it finds."""

from my_plugin import MyDetector

from spikedoor.metrics import auroc
from spikedoor.testing import check_detector, planted


def test_it_keeps_what_every_detector_keeps():
    check_detector(MyDetector)


def test_it_finds_a_planted_backdoor():
    case = planted("direct", "patch", rate=0.1)
    found = MyDetector().detect(case.stage, case.defender())
    assert auroc(found.scores, case.train.poisoned).value > 0.9


def test_a_clean_training_set_is_left_alone():
    clean = planted("direct", "patch", rate=0.0)
    assert MyDetector().detect(clean.stage, clean.defender()).flagged.mean() < 0.1
