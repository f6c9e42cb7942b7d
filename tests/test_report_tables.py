"""Tables against evaluations made by hand."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from spikedoor.evaluation import Evaluation
from spikedoor.metrics import Answers
from spikedoor.records import Gallery, Record
from spikedoor.report.rows import notes, rows, to_json
from spikedoor.report.tables import tables, text

LABELS = np.array([0, 1, 1, 1, 1, 2, 2, 2, 2, 2])  # target 0: nine samples can be attacked


def answers(*steps):
    """One (clean, triggered) pair of predictions a step."""
    return Answers(np.array([c for c, _ in steps]), np.array([t for _, t in steps]))


ALL_ZERO = [0] * 10
RIGHT = LABELS.tolist()
HALF_FOOLED = [0, 0, 0, 0, 0, 0, 2, 2, 2, 2]  # 5 of the 9
OTHER_FOOLED = [0, 1, 1, 0, 0, 0, 0, 2, 2, 2]  # 4 of the 9, 3 of which fool the first too


def record(rule, stages, twin=None):
    gallery = Gallery(*(np.zeros((2, 1, 8, 8), np.uint8),) * 2, np.array([1, 2]))
    return Record(
        experiment={"seed": 7, "rule": {"name": rule}, "attack": {"trigger": {"name": "patch"}}},
        environment={},
        data={"name": "toy", "train": 2000, "test": 10, "shape": [1, 8, 8], "checksums": {}},
        poison={"count": 100, "set_rate": 0.05, "class_rate": {"zero": 0.25}},
        stages={name: {"steps": said.steps, "seconds": 1.25} for name, said in stages.items()},
        evaluation=Evaluation(
            LABELS, np.zeros(10, int), ("zero", "one", "two"), stages, twin or {}
        ),
        gallery=gallery,
        created="2026-01-01T00:00:00+00:00",
        twin_stages={name: {"steps": 1, "seconds": 2.5} for name in twin or {}},
    )


@pytest.fixture
def converted():
    stages = {
        "ann": answers((RIGHT, HALF_FOOLED)),
        "converted": answers((ALL_ZERO, ALL_ZERO), (RIGHT, OTHER_FOOLED)),
    }
    clean = {"ann": answers((RIGHT, RIGHT)), "converted": answers((RIGHT, RIGHT), (RIGHT, RIGHT))}
    return record("conversion", stages, clean)


@pytest.fixture
def direct():
    return record("direct", {"direct": answers((ALL_ZERO, ALL_ZERO))})


def test_one_row_a_stage_with_the_scores_of_its_last_step(converted, direct):
    found = rows([converted, direct])
    assert [(r.rule, r.stage, r.scores.step) for r in found] == [
        ("conversion", "ann", 1),
        ("conversion", "converted", 2),
        ("direct", "direct", 1),
    ]
    ann, snn, _ = found
    assert ann.scores.attack_success.to_dict() == {"successes": 5, "count": 9}
    assert ann.scores.migration_ratio is None
    assert snn.scores.attack_success.to_dict() == {"successes": 4, "count": 9}
    assert snn.scores.migration_ratio.value == 4 / 5
    assert snn.scores.migration_retained.to_dict() == {"successes": 3, "count": 5}
    assert snn.twin.attack_success.to_dict() == {"successes": 0, "count": 9}
    assert (snn.seconds, snn.twin_seconds) == (1.25, 2.5)


def test_plain_text_holds_every_number_with_its_interval_and_count(converted):
    lines = text([converted]).splitlines()
    assert lines[0].split()[:3] == ["rule", "stage", "T"]
    ann, snn = lines[1:3]
    assert ann.startswith("LR_C conversion  ann        1  100.0 % [72.2, 100.0] n=10")
    assert "55.6 % [26.7, 81.1] n=9  0.0 % [0.0, 29.9] n=9" in ann
    assert "–" in ann
    # Wilson's interval of 4 of 9, and of 3 of 5, by the closed form on paper.
    assert "44.4 % [18.9, 73.3] n=9" in snn
    assert "60.0 % [23.1, 88.2] n=5" in snn
    assert "80.0 % [" in snn
    assert snn.endswith("1.2 twin 2.5")


def test_diverged_stands_in_place_of_success(direct):
    line = text([direct]).splitlines()[1]
    assert line.startswith("LR_B direct  direct  1  10.0 % [1.8, 40.4] n=10  diverged  –  ")


def test_no_success_of_the_ann_leaves_migration_undefined():
    stages = {"ann": answers((RIGHT, RIGHT)), "converted": answers((RIGHT, HALF_FOOLED))}
    line = text([record("hybrid", stages)]).splitlines()[2]
    assert line.startswith("LR_H hybrid")
    assert "undefined n=9" in line
    assert "undefined n=0" in line


def test_rules_of_others_go_by_their_name(direct):
    direct.experiment["rule"]["name"] = "evolution"
    assert text([direct]).splitlines()[1].startswith("evolution  direct")


def test_notes_tell_the_poison_once(converted, direct):
    told = notes([converted, direct])
    assert told[0] == (
        "toy, 2,000 training and 10 test samples; poisoned: 100 (5.00 % of the set, "
        "25.0 % of those labelled 'zero'); seed 7."
    )
    assert len(told) == 2


@pytest.mark.parametrize(("width", "parts"), [(120, 1), (80, 2)])
def test_terminal_table_fits(converted, direct, width, parts):
    made = tables([converted, direct], width)
    console = Console(width=width, file=io.StringIO())
    console.print(*made)
    shown = console.file.getvalue()
    assert len(made) == parts
    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    for piece in ("44.4 % n=9", "[18.9, 73.3]", "60.0 % n=5", "diverged", "LR_C", "conversion"):
        assert piece in shown


def test_json_is_valid_and_complete(converted, direct):
    plain = json.loads(json.dumps(to_json([converted, direct]), allow_nan=False))
    assert [entry["rule"] for entry in plain] == ["conversion", "direct"]
    snn = plain[0]["rows"][1]
    assert snn["attack_success"]["successes"] == 4
    assert snn["twin"]["attack_success"]["successes"] == 0
    assert plain[1]["rows"][0]["attack_success"] is None
    assert plain[1]["rows"][0]["diverged"] is True
