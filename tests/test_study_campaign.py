"""Sweeps on a store: made once, foretold, and the same whatever does the work."""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from campaign_cases import BASE, QUICK, SWEEP, Counting, campaign, done, measured

from spikedoor.data import Digits
from spikedoor.errors import ConfigError
from spikedoor.records import Store, Table, verify
from spikedoor.records.columns import RANGES
from spikedoor.rules import Conversion, Training
from spikedoor.rules.conversion import Max
from spikedoor.study import Experiment, Sweep, Workshop, engine_of, run
from spikedoor.study.engines import Workers
from spikedoor.study.forecast import History
from spikedoor.study.measures import DETECTION, MEASURES, REPAIR
from spikedoor.study.nodes import Node
from spikedoor.study.schedule import Board, missing

ALL = {"poison": 2, "direct": 3, "ann": 3, "converted": 3, "answers": 18, "activity": 8}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "store"
    done(folder)
    return folder


def test_every_stage_is_made_once_and_a_second_call_makes_none(tmp_path):
    first = campaign(tmp_path / "s")
    todo = first.missing()
    engine = Counting(first)
    board = first.run(engine, todo)
    # Two rates and the clean twin: 3 of each; the two T of a conversion share one simulation.
    # Spikes are counted of two victims by each rule, on clean and on triggered samples.
    assert engine.kinds == ALL
    assert board.done == set(todo)
    again = campaign(tmp_path / "s")
    assert again.missing() == {}
    assert measured(again) == measured(first)
    assert not verify(again.store)


def test_only_what_a_change_affects_is_made_again(finished):
    changed = SWEEP.model_copy(update={"parts": (SWEEP.parts[1].model_copy(
        update={"set": {"rule": {"name": "conversion", "ann": QUICK, "converter": "max"}}}
    ),)})  # fmt: skip
    kinds = Counter(node.kind for node in campaign(finished, changed).missing().values())
    assert kinds == {"converted": 3, "answers": 6, "activity": 4}
    more_seeds = SWEEP.model_copy(update={"seeds": (0, 1)})
    kinds = Counter(node.kind for node in campaign(finished, more_seeds).missing().values())
    assert kinds == ALL


def test_the_numbers_are_those_of_a_run_by_itself(finished):
    rows = campaign(finished).rows()
    alone = run(SWEEP.experiments()[2].experiment)
    (row,) = (r for r in rows if (r["stage"], r["T"], r["attack.rate"]) == ("converted", 2, 0.05))
    scores, twin = (f("converted") for f in (alone.evaluation.scores, alone.evaluation.twin_scores))
    assert row["clean_accuracy"] == scores.clean_accuracy.value
    assert row["clean_accuracy.count"] == 80
    if scores.attack_success is not None:
        assert row["attack_success"] == scores.attack_success.value
        assert (row["attack_success.low"], row["attack_success.high"]) == (
            scores.attack_success.interval
        )
    assert row["status"] == ("diverged" if scores.diverged else "done")
    expected = twin.attack_success.value if twin.attack_success else None
    assert row["clean_model"] == expected


def test_rows_are_a_table(finished):
    table = Table.of(campaign(finished).rows())
    assert {"part", "attack.rate", "rule.steps", "rule", "seed", "stage", "T"} <= set(table.columns)
    assert set(MEASURES) <= set(table.columns)
    assert len(table.rows) == 2 * (1 + 2 * 2)
    assert len(table.where("stage=ann", "T=1").rows) == 4


def test_a_run_with_a_store_takes_what_is_there(finished, tmp_path):
    experiment = SWEEP.experiments()[2].experiment
    workshop = Workshop(Store(finished))
    before = {entry.key for entry in workshop.store.entries()}
    record = run(experiment, tmp_path / "record", workshop)
    # The sweep simulated 5 steps, this asks for 2: that simulation is new, no training is.
    new = [e.kind for e in workshop.store.entries() if e.key not in before]
    assert set(new) <= {"answers", "activity"}
    assert record.stages["ann"]["training"]["epochs"]
    assert (tmp_path / "record" / "victim" / "victim.json").exists()


def test_leaves_that_are_sound_need_nothing_behind_them(finished, tmp_path):
    made = campaign(finished)
    store = Store(tmp_path / "copy")
    for node in made.leaves():
        entry, files = made.store.read(node.key)
        store.write(node.key, node.kind, files, config=entry.config)
    assert missing(made.leaves(), store) == {}


class TestWorkers:
    def test_give_the_numbers_of_one_process(self, finished, tmp_path):
        made = campaign(tmp_path / "s")
        with engine_of(made, workers=2) as engine:
            board = made.run(engine)
        assert (len(board.failed), engine.slots) == (0, 2)
        assert measured(made) == measured(campaign(finished))
        theirs = Store(finished)
        for entry in made.store.entries():
            there = theirs.entry(entry.key)
            for name, info in entry.files.items():
                # a victim.json tells the seconds, which differ
                assert name == "victim.json" or there.files[name] == info

    def test_one_that_dies_is_replaced_and_its_work_done_again(self, tmp_path):
        made = campaign(tmp_path / "s")
        killed: list[int] = []

        def kill_once(board: Board) -> None:
            for worker in engine._workers:
                if not killed and worker.node is not None and worker.process.pid:
                    killed.append(worker.process.pid)
                    os.kill(worker.process.pid, signal.SIGKILL)

        with Workers(made.store.folder, 1) as engine:
            board = made.run(engine, watch=kill_once)
        assert killed
        assert not board.failed
        assert {row["status"] for row in made.rows()} <= {"done", "diverged"}

    def test_work_that_kills_its_process_fails_in_the_end(self, tmp_path):
        made = campaign(tmp_path / "s")
        node = made.leaves()[0]
        with Workers(made.store.folder, 1) as engine:
            engine.submit(node)
            outcomes = []
            for _ in range(60):
                for worker in engine._workers:
                    os.kill(worker.process.pid, signal.SIGKILL)
                outcomes += engine.wait(1)
                if outcomes:
                    break
        assert [(o.key, o.ended) for o in outcomes] == [(node.key, "failed")]
        assert "ended by signal 9, 3 times" in outcomes[0].reason

    def test_closing_ends_them_at_once(self, tmp_path):
        made = campaign(tmp_path / "s")
        engine = Workers(made.store.folder, 2)
        for node in list(made.missing().values())[:2]:
            engine.submit(node)
        processes = [worker.process for worker in engine._workers]
        engine.close()
        assert [process.exitcode for process in processes] == [-signal.SIGKILL] * 2


def test_an_estimate_is_what_the_nearest_relatives_took(tmp_path):
    store = Store(tmp_path)
    made = [
        ({"steps": 4, "net": "small"}, 2.0),
        ({"steps": 8, "net": "small"}, 6.0),
        ({"steps": 4, "net": "large"}, 100.0),
    ]
    for config, seconds in made:
        node = Node("answers", config)
        store.write(node.key, "answers", {}, config=node.identity(), seconds=seconds)
    history = History(store)

    def seconds(*configs: dict) -> float:
        return history.estimate(Node("answers", config) for config in configs).seconds

    assert seconds() == 0
    assert seconds({"steps": 4, "net": "small"}) == 2
    assert seconds({"steps": 40, "net": "large"}) == 1000
    assert seconds({"steps": 40, "net": "small"}) == 25  # between 10 x 2 and 5 x 6
    assert seconds({"steps": 4, "net": "small", "seed": 9}) == 2
    assert seconds({"steps": 4, "net": "small"}, {"steps": 4, "net": "large"}) == 102
    assert history.estimate([Node("ann", {}), Node("ann", {"a": 1})]).unknown == ("ann",)


def test_why_names_the_nearest_difference(finished):
    made = campaign(finished)
    todo: dict[str, Node] = {}
    history = History(made.store)
    ann = next(node for node in made.nodes() if node.kind == "ann")
    assert history.why(ann, todo) == "in the store"
    training = {**ann.config["settings"]["training"], "epochs": 7}
    settings = {**ann.config["settings"], "training": training}
    other = Node("ann", {**ann.config, "settings": settings}, ann.inputs)
    assert history.why(other, {other.key: other}) == (
        "nearest in the store differs: settings.training.epochs is 7, not 1"
    )
    after = Node("converted", {}, {"before": other})
    assert history.why(after, {n.key: n for n in (other, after)}).endswith(
        "the stage before must be made"
    )


def test_an_experiment_has_the_same_keys_in_any_sweep():
    data = Digits(train_limit=256, test_limit=80)
    rule = Conversion(converter=Max(), ann=Training(epochs=1, batch=64))
    first = Experiment(data=data, rule=rule, threads=1)
    sweep = Sweep(base={"data": data.to_dict(), "rule": rule.to_dict()})
    assert sweep.experiments()[0].experiment == first


def test_every_measure_has_a_range():
    assert {*MEASURES, *DETECTION, *REPAIR} == set(RANGES)


def test_folds_are_counted_together(tmp_path):
    quick = {"name": "hybrid", "steps": 2, "ann": QUICK, "finetune": QUICK}
    folded = Sweep(
        base={**BASE, "rule": quick, "data": {"name": "digits", "folds": 3}},
        grid={"data.fold": [0, 1, 2]},
        seeds=(0, 1),
    )
    made = done(tmp_path / "store", folded)
    alone, pooled = Table.of(made.rows()), Table.of(made.rows(pool_folds=True))
    assert "data.fold" not in pooled.columns
    assert len(pooled.rows) == 2 * 3  # seeds, stages
    for row in pooled.rows:
        parts = alone.where(f"seed={row['seed']}", f"stage={row['stage']}").rows
        for name in ("clean_accuracy", "recovered_accuracy"):
            counts = [part[f"{name}.count"] for part in parts]
            hits = sum(part[name] * n for part, n in zip(parts, counts, strict=True))
            assert row[f"{name}.count"] == sum(counts)
            assert row[name] == pytest.approx(hits / sum(counts))
        assert row["seconds"] == pytest.approx(sum(part["seconds"] for part in parts) / 3)
    assert {row["clean_accuracy.count"] for row in pooled.rows} == {1797}
    with pytest.raises(ConfigError, match=r"data\.fold"):
        campaign(tmp_path / "store").rows(pool_folds=True)
