"""Victims on disk: what comes back, and what is refused."""

import io
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from rules_cases import (  # noqa: F401 (one_thread is a fixture)
    CLASSES,
    NETWORK,
    QUICK,
    equal_states,
    one_thread,
    poisoned,
    stripes,
)
from victim_cases import every_stage

from spikedoor.errors import DataError, OutputError
from spikedoor.rules import train_ann
from spikedoor.snn.networks import SmallConv
from spikedoor.snn.neurons import PLIF
from spikedoor.victim import Blueprint, Stage, Victim, to_floats


@pytest.fixture
def victim() -> Victim:
    return every_stage()


@pytest.fixture
def saved(victim: Victim, tmp_path: Path) -> Path:
    return victim.save(tmp_path / "victim")


class TestRoundTrip:
    def test_predictions_are_equal_to_the_bit(self, victim, saved):
        loaded = Victim.load(saved)
        assert len(loaded.stages) == 4
        images = to_floats(stripes(40).batch(np.arange(40)))
        for before, after in zip(victim.stages, loaded.stages, strict=True):
            assert equal_states(before.network, after.network)
            scores = [
                stage.scores(images, torch.Generator().manual_seed(5)) for stage in (before, after)
            ]
            assert torch.equal(*scores)
            assert (before.predict(stripes(40), 2) == after.predict(stripes(40), 2)).all()

    def test_all_else_comes_back(self, victim, saved):
        for before, after in zip(victim.stages, Victim.load(saved).stages, strict=True):
            for name in ("name", "blueprint", "steps", "encoding", "readout", "notes"):
                assert getattr(before, name) == getattr(after, name)
            assert not after.network.training

    def test_saving_again_gives_equal_files(self, victim, saved, tmp_path):
        again = Victim.load(saved).save(tmp_path / "again")
        files = sorted(path.name for path in saved.iterdir())
        assert files == [
            "ann.safetensors", "converted.safetensors", "direct.safetensors",
            "finetuned.safetensors", "victim.json",
        ]  # fmt: skip
        for name in files:
            assert (saved / name).read_bytes() == (again / name).read_bytes()

    def test_a_loaded_network_can_be_trained_on(self, saved):
        stage = Victim.load(saved)["direct"]
        images = to_floats(stripes(8).batch(np.arange(8)))
        stage.scores(images, torch.Generator()).sum().backward()
        assert all(p.grad is not None for p in stage.network.parameters())

    def test_the_victim_is_not_changed_by_it(self, victim, tmp_path):
        before = [
            {k: v.clone() for k, v in stage.network.state_dict().items()} for stage in victim.stages
        ]
        victim.save(tmp_path / "new")
        for state, stage in zip(before, victim.stages, strict=True):
            after = stage.network.state_dict()
            assert all(torch.equal(state[key], after[key]) for key in state)

    def test_what_is_written_is_json_to_every_reader(self, tmp_path):
        """An accuracy that is not known (no validation split) must not end up as a bare NaN."""
        how = QUICK.model_copy(update={"validation": 0.0, "epochs": 1})
        folder = Victim((train_ann(NETWORK, stripes(16), how, 0),)).save(tmp_path / "new")

        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is no JSON")

        json.loads((folder / "victim.json").read_text(), parse_constant=refuse)


class TestSaving:
    def test_refuses_an_occupied_folder(self, victim, saved):
        before = {path.name: path.read_bytes() for path in saved.iterdir()}
        with pytest.raises(OutputError, match="not empty"):
            victim.save(saved)
        assert {path.name: path.read_bytes() for path in saved.iterdir()} == before

    def test_leaves_nothing_behind_when_it_fails(self, victim, tmp_path):
        victim.stages[-1].notes["cannot"] = object()
        with pytest.raises(TypeError):
            victim.save(tmp_path / "new")
        assert list(tmp_path.iterdir()) == []


class Malice:
    """Unpickling this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def edited(folder: Path, change) -> Path:
    """Change the description of a saved victim."""
    path = folder / "victim.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    return folder


class TestLoadingRefuses:
    @pytest.mark.parametrize("missing", ["victim.json", "direct.safetensors"])
    def test_a_missing_file(self, saved, missing):
        (saved / missing).unlink()
        with pytest.raises(DataError, match=missing if missing != "victim.json" else "victim"):
            Victim.load(saved)

    def test_a_missing_folder(self, tmp_path):
        with pytest.raises(DataError, match="nowhere"):
            Victim.load(tmp_path / "nowhere")

    def test_a_folder_of_something_else(self, tmp_path):
        (tmp_path / "victim.json").mkdir()
        with pytest.raises(DataError):
            Victim.load(tmp_path)

    @pytest.mark.parametrize(
        "text",
        ["", "{", "[]", "3", "null", "\xff\xfe", '{"format": 1}', '{"format": 1, "stages": 5}'],
    )
    def test_text_that_is_no_description(self, saved, text):
        (saved / "victim.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(DataError):
            Victim.load(saved)

    def test_deeply_nested_text(self, saved):
        (saved / "victim.json").write_text("[" * 100_000)
        with pytest.raises(DataError):
            Victim.load(saved)

    def test_a_victim_without_stages(self, saved):
        with pytest.raises(DataError):
            Victim.load(edited(saved, lambda value: value.update(stages=[])))

    def test_another_format(self, saved):
        with pytest.raises(DataError, match=r"expected victim format 1, found 2"):
            Victim.load(edited(saved, lambda value: value.update(format=2)))

    @pytest.mark.parametrize("key", ["name", "blueprint", "steps", "encoding", "readout", "notes"])
    def test_a_missing_key(self, saved, key):
        with pytest.raises(DataError, match=key):
            Victim.load(edited(saved, lambda value: value["stages"][3].pop(key)))

    @pytest.mark.parametrize(
        "change",
        [
            {"steps": 0},
            {"steps": -4},
            {"steps": "many"},
            {"steps": None},
            {"encoding": {"name": "poison"}},
            {"encoding": None},
            {"readout": {"name": "mean-current", "tau": 2}},
        ],
        ids=str,
    )
    def test_wrong_values(self, saved, change):
        with pytest.raises(DataError):
            Victim.load(edited(saved, lambda value: value["stages"][3].update(change)))

    @pytest.mark.parametrize(
        "change",
        [
            {"architecture": "small-konv"},
            {"architecture": {"name": "small-conv", "width": 10**12}},
            {"architecture": 5},
            {"shape": [1, 8]},
            {"shape": [1, 8, 8, 8]},
            {"shape": [1, 8.5, 8]},
            {"shape": [1, 4, 4]},
            {"shape": [-1, 8, 8]},
            {"shape": 8},
            {"classes": 3},
            {"neuron": {"name": "lif", "tau": 0.5}},
            {"neuron": {"name": "lief"}},
        ],
        ids=str,
    )
    def test_wrong_blueprints(self, saved, change):
        def edit(value):
            value["stages"][3]["blueprint"].update(change)

        with pytest.raises(DataError):
            Victim.load(edited(saved, edit))

    @pytest.mark.parametrize("name", ["../x", "/x", "x", "", ["direct"], None, "direct/../x"])
    def test_a_stage_of_another_name(self, saved, name):
        shutil.copy(saved / "direct.safetensors", saved.parent / "x.safetensors")
        with pytest.raises(DataError, match="stage"):
            Victim.load(edited(saved, lambda value: value["stages"][3].update(name=name)))

    def test_weights_of_another_shape(self, saved):
        def widen(value):
            value["stages"][3]["blueprint"]["architecture"]["width"] = 5

        with pytest.raises(DataError, match=r"direct\.safetensors.*do not fit") as caught:
            Victim.load(edited(saved, widen))
        assert "\n" not in str(caught.value)

    def test_weights_of_another_stage(self, saved):
        shutil.copy(saved / "ann.safetensors", saved / "direct.safetensors")
        with pytest.raises(DataError, match="do not fit"):
            Victim.load(saved)

    def test_an_initial_membrane_that_fits_no_layer(self, saved):
        from safetensors.torch import load, save

        path = saved / "converted.safetensors"
        state = load(path.read_bytes())
        (key,) = [key for key in state if key.endswith("initial") and state[key].dim()]
        state[key] = torch.zeros(7)
        path.write_bytes(save(state))
        with pytest.raises(DataError):
            Victim.load(saved).stages[1].predict(stripes(4))

    @pytest.mark.parametrize("kept", [0, 4, 20, 600, -1])
    def test_weights_cut_off(self, saved, kept):
        path = saved / "direct.safetensors"
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(DataError, match=r"direct\.safetensors: not a readable"):
            Victim.load(saved)

    @pytest.mark.parametrize("kind", ["pickle", "torch"])
    def test_a_pickle_without_running_it(self, saved, tmp_path, kind):
        mark, content = tmp_path / "ran", io.BytesIO()
        if kind == "pickle":
            pickle.dump(Malice(mark), content)
        else:
            torch.save({"weight": Malice(mark)}, content)
        for name in ("direct.safetensors", "victim.json"):
            (saved / name).write_bytes(content.getvalue())
            with pytest.raises(DataError):
                Victim.load(saved)
        assert not mark.exists()


def test_malice_would_have_worked(tmp_path):
    pickle.loads(pickle.dumps(Malice(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("shape", [(3, 16, 12), (1, 28, 28)])
def test_frames_of_any_shape_survive_the_round_trip(shape, tmp_path):
    blueprint = Blueprint(SmallConv(width=4), shape, CLASSES, PLIF())
    stage = Stage("direct", blueprint, blueprint.build(0).eval(), 2)
    loaded = Victim.load(Victim((stage,)).save(tmp_path / "new"))
    data = stripes(6, shape=shape)
    assert (loaded.final.predict(data) == stage.predict(data)).all()
