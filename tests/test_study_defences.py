"""Defences in an experiment: what they are given, where their results go, and what is stored."""

import shutil

import numpy as np
import pytest

from spikedoor.attack import Attack
from spikedoor.attack.triggers import EventStatic, Patch
from spikedoor.data import Digits
from spikedoor.data.events.simulated import DigitsDvs
from spikedoor.data.strata import spread
from spikedoor.defences import DEFENCES, Detection
from spikedoor.defences.inputs import Inputs
from spikedoor.defences.plan import DefencePlan
from spikedoor.errors import ConfigError, DataError
from spikedoor.metrics.findings import Detected, detection_scores
from spikedoor.records import Store, Table
from spikedoor.study import Campaign, Experiment, Sweep, results
from spikedoor.study.cell import cell
from spikedoor.study.engines import InProcess
from spikedoor.study.nodes import Node, walk

QUICK = {"epochs": 5, "batch": 32, "optimiser": {"name": "adam", "lr": 5e-3}}
SWEEP = Sweep(
    base={
        "data": {"name": "digits", "train_limit": 300, "test_limit": 60},
        "network": {"name": "small-conv", "width": 4, "pool": "avg"},
        "attack": {"rate": 0.1, "trigger": {"name": "patch", "size": 2}},
        "rule": {"name": "conversion", "steps": 16, "ann": QUICK},
        "defence": {"clean": 0.2},
    },
    grid={
        "defence.method": [
            "activation-clustering",
            {"name": "fine-tuning", "training": {"epochs": 1}},
        ],
        "defence.stage": ["final", "ann"],
    },
)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Campaign:
    campaign = Campaign.of(SWEEP, Store(tmp_path_factory.mktemp("defences") / "store"))
    assert not campaign.run(InProcess(campaign.workshop)).failed
    return campaign


def rows(made: Campaign, **wanted: str) -> list[dict]:
    return [r for r in made.rows() if all(r[k.replace("__", ".")] == v for k, v in wanted.items())]


def test_detection_stands_in_the_rows_of_the_stage_it_looked_at(made):
    for where, stage in (("final", "converted"), ("ann", "ann")):
        told = {"defence__method": "activation-clustering", "defence__stage": where}
        for row in rows(made, **told):
            assert (row["auroc"] is not None) == (row["stage"] == stage)
            assert row["effectiveness"] is None
        (row,) = rows(made, stage=stage, **told)
        assert (row["found.count"], row["false_alarms.count"]) == (30, 270)
        assert row["twin_false_alarms.count"] == 300


def test_a_detection_that_is_not_there_is_told(made, tmp_path):
    store = Store(shutil.copytree(made.store.folder, tmp_path / "store"))
    read = next(one for one in made.index.readings if one.detections)
    gone = read.detections["victim"]
    shutil.rmtree(store.folder / "entries" / gone[:2] / gone)
    before, after = (results.rows(made.index, where) for where in (made.store, store))
    (there,) = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert [one["auroc"] is None for one in there] == [False, True]
    assert [one["reason"] for one in there] == [None, "not run yet"]
    assert {one["status"] for one in there} == {"done"}
    assert Table.of([there[1]]).mean().rows[0]["reason"] == "not run yet"


@pytest.mark.parametrize("content", [b"{}", b'{"stages": [{"notes": 3}]}', b"["])
def test_a_stage_of_which_nothing_can_be_told_is_damaged(made, tmp_path, content):
    store = Store(shutil.copytree(made.store.folder, tmp_path / "store"))
    key = made.index.readings[0].stages["victim"]["ann"]
    shutil.rmtree(store.folder / "entries" / key[:2] / key)
    store.write(key, "ann", {"victim.json": content}, config={})
    with pytest.raises(DataError, match=f"ann {key[:8]}: not a readable result"):
        results.rows(made.index, store)


def test_a_repaired_stage_has_rows_like_any_other(made):
    for where in ("final", "ann"):
        method = "fine-tuning(training=(epochs=1))"
        told = {"defence__method": method, "defence__stage": where, "stage": "repaired"}
        (row,) = rows(made, **told)
        assert row["clean_accuracy.count"] == 60
        assert row["migration_ratio"] is not None
        assert row["clean_model"] is not None
        assert 0 <= row["effectiveness"] <= 1
        assert 0.2 < row["operations"] < 5


def test_defences_share_the_victims_they_are_tried_on(made):
    kinds = [node.kind for node in made.nodes()]
    assert kinds.count("ann") == 2
    assert kinds.count("converted") == 2
    assert kinds.count("repaired") == 4
    assert kinds.count("detection") == 4


def test_an_eliminator_depends_on_nothing_triggered(made):
    for node in made.nodes():
        if node.kind == "repaired":
            assert set(node.inputs) == {"stage", "train"}
            assert "trigger" not in node.config
            own = {n.kind for n in walk(node.inputs["train"])}
            assert own == {"data"}


@pytest.mark.parametrize("key", ["set", "grid"])
def test_rows_name_the_defence_however_the_sweep_does(tmp_path, key):
    plan = {"method": "strip", "clean": 0.4, "clean_from": "test"}
    sweep = Sweep(base=SWEEP.base, **{key: {"defence": [plan] if key == "grid" else plan}})
    found = Campaign.of(sweep, Store(tmp_path / "store")).rows()
    assert {row["defence.method"] for row in found} == {"strip"}


def test_a_plain_ann_is_repaired_as_well_and_has_no_synaptic_operations(tmp_path):
    sweep = SWEEP.model_copy(
        update={
            "set": {"rule": {"name": "ann", "training": QUICK}},
            "grid": {"defence.method": [{"name": "fine-tuning", "training": {"epochs": 1}}]},
        }
    )
    campaign = Campaign.of(sweep, Store(tmp_path / "store"))
    assert not campaign.run(InProcess(campaign.workshop)).failed
    assert [row["stage"] for row in campaign.rows()] == ["ann", "repaired"]
    (row,) = rows(campaign, stage="repaired")
    assert row["effectiveness"] is not None
    assert (row["operations"], row["firing_rate"]) == (None, None)


def test_a_repaired_ann_is_converted_on_clean_samples(made):
    (node,) = [
        n
        for n in made.nodes()
        if n.kind == "repaired"
        and n.inputs["stage"].kind == "ann"
        and any(inner.kind == "poison" for inner in walk(n))
    ]
    stage = made.workshop.result(node)
    assert stage.name == "repaired"
    assert stage.blueprint.neuron is not None
    assert made.workshop.result(node.inputs["stage"]).blueprint.neuron is None


def test_a_direct_rule_has_no_ann_to_defend():
    plain = {"data": "digits", "rule": "direct"}
    with pytest.raises(ConfigError, match=r"defence\.stage.*direct.*'final'"):
        Experiment.from_dict({**plain, "defence": {"method": "fine-tuning", "stage": "ann"}})


def test_an_experiment_without_a_defence_has_the_keys_it_had(made):
    plain = SWEEP.model_copy(update={"grid": {}})
    base = {k: v for k, v in plain.base.items() if k != "defence"}
    campaign = Campaign.of(plain.model_copy(update={"base": base}), made.store)
    assert not campaign.missing()
    assert "auroc" not in campaign.rows()[0]


NEW = {"method": "temporal-decision", "clean": 0.5, "clean_from": "test", "samples": 12}


def test_what_a_detector_knows_of_the_test_set_it_is_not_shown(tmp_path, monkeypatch):
    seen = []

    def detect(self, stage, defender, inputs):
        seen.append((defender, inputs))
        return Detection(np.zeros(len(inputs)), 0.5)

    monkeypatch.setattr(DEFENCES["temporal-decision"], "detect", detect)
    sweep = SWEEP.model_copy(update={"base": {**SWEEP.base, "defence": NEW}, "grid": {}})
    campaign = Campaign.of(sweep, Store(tmp_path / "store"))
    assert not campaign.run(InProcess(campaign.workshop)).failed
    test = Digits(train_limit=300, test_limit=60).load().test
    everything = marked(test)
    for defender, inputs in seen:
        known = marked(defender.clean) | marked(defender.validation)
        assert len(known) == 30
        assert known <= everything
        assert len(inputs) == 24
        assert marked(inputs) <= everything - known
    assert len(seen) == 2


def marked(samples) -> set[bytes]:
    """Return images with the trigger on all, so that a triggered one equals its clean one."""
    images = Patch(size=2).apply(samples.batch(np.arange(len(samples))))
    return {image.tobytes() for image in images}


@pytest.mark.parametrize("method", ["fine-tuning", "scan", "tmpbd"])
def test_only_a_detector_of_inputs_learns_from_the_test_set(method):
    with pytest.raises(ConfigError, match=f"clean_from: expected 'training'.*'{method}'"):
        DefencePlan.from_dict({**NEW, "method": method})


def test_the_usual_choice_of_the_set_is_in_no_key_as_it_was_before_there_was_one():
    def node(chosen: str) -> Node:
        base = {**SWEEP.base, "defence": {**NEW, "clean_from": chosen}}
        (planned,) = SWEEP.model_copy(update={"base": base, "grid": {}}).experiments()
        return cell(planned.experiment, planned.experiment.data.load()).detections["victim"]

    usual, other = node("training"), node("test")
    assert other.config["defence"] == {**usual.config["defence"], "clean_from": "test"}


# Inputs


@pytest.mark.parametrize("kind", ["image", "event"])
def test_inputs_come_from_both_sets_in_any_order(kind):
    source = Digits(test_limit=40) if kind == "image" else DigitsDvs(train_limit=20, test_limit=12)
    test = source.load().test
    trigger = Patch(size=2) if kind == "image" else EventStatic(size=3)
    shown = Attack(trigger=trigger).challenge(test)
    inputs = Inputs(test, shown, (spread(len(test), 5), spread(len(shown), 4)))
    assert len(inputs) == 9
    assert inputs.from_second.tolist() == [False] * 5 + [True] * 4
    asked = np.array([7, 0, 5, 3])
    batch = inputs.batch(asked)
    for place, index in enumerate(asked):
        first = index < 5
        base, chosen = (test, inputs.chosen[0]) if first else (shown, inputs.chosen[1])
        (expected, found) = base.batch(chosen[[index if first else index - 5]]), batch
        if kind == "image":
            assert np.array_equal(found[place], expected[0])
        else:
            one = found.take(np.array([place]))
            assert np.array_equal(one.t, expected.t)
            assert np.array_equal(one.x, expected.x)
    with pytest.raises(ConfigError, match="no labels"):
        _ = inputs.labels


# Scores of detectors


def found(scores: list[float], positive: list[int], threshold: float = 0.5) -> Detected:
    return Detected(Detection(np.array(scores), threshold), np.array(positive, np.bool_))


def test_scores_of_samples_by_hand():
    victim = found([0.9, 0.8, 0.7, 0.2, 0.6, 0.1], [1, 1, 0, 0, 0, 1])
    twin = found([0.1, 0.9], [0, 0])
    told = detection_scores({"victim": [victim], "twin": [twin]}, "data")
    assert told["auroc"].value == pytest.approx(6 / 9)
    assert told["found"].to_dict() == {"successes": 2, "count": 3}
    assert told["false_alarms"].to_dict() == {"successes": 2, "count": 3}
    assert told["twin_false_alarms"].to_dict() == {"successes": 1, "count": 2}
    assert told["found_at_1"].to_dict() == {"successes": 2, "count": 3}


def test_a_model_is_found_by_its_target_and_a_clean_one_falsely_accused_by_any():
    hit, miss = found([0.9, 0.1], [1, 0]), found([0.1, 0.9], [1, 0])
    clean, accused = found([0.1, 0.2], [0, 0]), found([0.1, 0.9], [0, 0])
    told = detection_scores({"victim": [hit, miss], "twin": [clean, accused]}, "model")
    assert told["found"].to_dict() == {"successes": 1, "count": 2}
    assert told["twin_false_alarms"].to_dict() == {"successes": 1, "count": 2}
    assert "false_alarms" not in told


def test_every_method_says_what_it_needs_looks_at_and_when_it_fails():
    for name in DEFENCES.names():
        text = DEFENCES[name].__doc__ or ""
        for question in ("Needs:", "Looks at:", "Fails:"):
            assert question in text, (name, question)
