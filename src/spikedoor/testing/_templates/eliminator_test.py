"""What my-eliminator keeps, and what it removes."""

from my_plugin import MyEliminator

from spikedoor.testing import check_eliminator, planted


def test_it_keeps_what_every_eliminator_keeps():
    check_eliminator(MyEliminator)


def test_it_weakens_a_planted_backdoor():
    case = planted("direct", "patch", rate=0.1)
    repaired = MyEliminator().repair(case.stage, case.defender())
    assert case.success(repaired) < case.success(case.stage) / 4
    assert case.accuracy(repaired) > 0.9
