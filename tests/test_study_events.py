"""Experiments on recordings: what is refused early, keys, shared simulations, and pictures."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from event_cases import SENSOR, bands

from spikedoor.data import DATASETS, Dataset
from spikedoor.data.base import Modality
from spikedoor.data.events import Events
from spikedoor.data.events.pictures import pictures
from spikedoor.data.source import DataSource
from spikedoor.errors import ConfigError
from spikedoor.study import Experiment
from spikedoor.study.cell import Cell, Question, cell, with_shared_simulations
from spikedoor.study.pipe import run

QUICK: dict[str, Any] = {
    "epochs": 12,
    "batch": 16,
    "optimiser": {"name": "adam", "lr": 1e-2},
    "schedule": "constant",
    "validation": 0.0,
}
FROM_ANN = {"ann": QUICK, "converter": {"name": "percentile", "p": 99.9, "initial": 0.5}}
RULES: dict[str, dict[str, Any]] = {
    "direct": {"name": "direct", "steps": 4, "training": QUICK},
    "conversion": {"name": "conversion", "steps": 16, **FROM_ANN},
    "hybrid": {"name": "hybrid", "steps": 4, "finetune": QUICK, **FROM_ANN},
}


@pytest.fixture(autouse=True)
def bands_source(monkeypatch):
    """Have the bands as a source, for these tests alone."""

    class Bands(DataSource):
        modality: ClassVar[Modality] = "event"

        def _load(self, root):
            return Dataset("bands", bands(96), bands(45, seed=1), {"bands": "0"})

    DATASETS.names()
    monkeypatch.setattr(Bands, "name", "bands")
    monkeypatch.setitem(DATASETS._members, "bands", Bands)


def experiment(named: str = "direct", encoding: Any = "frames", /, **fields: Any) -> Experiment:
    given: dict[str, Any] = {
        "data": "bands",
        "attack": {"trigger": {"name": "event-static", "size": 2, "rate": 100}, "rate": 0.2},
        "network": {"name": "small-conv", "width": 4},
        "rule": RULES[named] | {"encoding": encoding},
        "threads": 1,
    }
    return Experiment.from_dict(given | fields)


def planned(*arguments: Any, **fields: Any) -> Cell:
    made = experiment(*arguments, **fields)
    return cell(made, made.data.load())


@pytest.mark.parametrize("rule", RULES)
def test_a_run_from_plain_values_to_a_record(rule, tmp_path):
    encoding = {"name": "frames", "constant": rule == "conversion"}
    record = run(experiment(rule, encoding, twin=False), tmp_path / "record")
    final = list(record.stages)[-1]
    assert record.evaluation.scores(final).clean_accuracy.value > 0.8
    assert record.gallery.clean.shape == (2, 3, *SENSOR)
    assert (record.gallery.triggered != record.gallery.clean).any()
    assert "event-static" in (tmp_path / "record" / "record.json").read_text()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"encoding": "direct"}, "'direct' takes images, but 'bands' holds events.*rule.encoding"),
        ({"attack": {}}, "trigger 'patch' marks images, but 'bands' holds events"),
        (
            {"data": "digits", "attack": {}},
            "takes events or frames, but 'digits' holds im",
        ),
        ({"data": "digits"}, "trigger 'event-static' marks events, but 'digits' holds images"),
        ({"data": {"name": "frames", "source": "bands"}}, "but 'frames' holds frames"),
        ({"data": {"name": "frames", "source": "digits"}}, "source of recordings, got 'digits'"),
        (
            {"data": {"name": "frames", "source": {"name": "bands", "fold": 1}}},
            r"source\.fold: expected it outside",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_before_any_data_is_read(fields, told):
    with pytest.raises(ConfigError, match=told):
        experiment("direct", fields.pop("encoding", "frames"), **fields)


def test_frames_of_recordings_take_the_triggers_of_frames(tmp_path):
    fields = {
        "data": {"name": "frames", "source": "bands", "steps": 8, "train_limit": 60, "fold": 2},
        "attack": {"trigger": {"name": "frame-static", "size": 2}, "rate": 0.2},
    }
    made = experiment(**fields)
    data = made.data.load()
    assert (len(data.train), data.train.batch(np.arange(2)).shape) == (60, (2, 8, 2, *SENSOR))
    record = run(made, tmp_path / "record")
    assert record.evaluation.scores("direct").clean_accuracy.value > 0.7
    with pytest.raises(ConfigError, match="8 frames"):
        experiment(**fields, rule=RULES["direct"] | {"encoding": "frames", "steps": 3})


def test_a_simulation_is_shared_only_where_it_begins_with_the_shorter_one():
    def steps(encoding: dict[str, Any]) -> list[int]:
        rule = RULES["conversion"] | {"encoding": encoding}
        made = [planned(rule=rule | {"steps": t}) for t in (4, 8)]
        asked = Question("victim", "converted", True)
        assert made[0].stages["victim"]["ann"].key == made[1].stages["victim"]["ann"].key
        return [c.answers[asked].config["steps"] for c in with_shared_simulations(made)]

    assert steps({"name": "frames"}) == [4, 8]
    assert steps({"name": "frames", "constant": True}) == [8, 8]


def test_what_a_network_is_shown_decides_its_weights():
    fields = [{}, {"gain": 0.2}, {"framing": {"by": "time"}}, {"framing": {"value": "signed"}}]
    for rule in RULES:
        made = [planned(rule, {"name": "frames", **each}) for each in fields]
        for stage in made[0].stages["victim"]:
            assert len({one.stages["victim"][stage].key for one in made}) == len(fields)


def test_pictures_by_hand():
    events = Events.of_one(
        np.array([0, 1, 1, 1]), np.zeros(4), np.arange(4), np.array([1, 0, 0, 0]), (1, 3)
    )
    found = pictures(events)
    assert found[0, :, 0].T.tolist() == [[46, 32, 0], [34, 72, 93], [0, 0, 0]]
    many = events.take(np.zeros(40, np.int64))
    whole = Events(many.x, many.y, many.t * 0, many.p, np.array([0, 160]), (1, 3))
    assert pictures(whole)[0, :, 0, 0].tolist() == [230, 159, 0]
    images = np.zeros((2, 1, 3, 3), np.uint8)
    assert pictures(images) is images
