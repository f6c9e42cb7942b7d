"""Sweeps that meet damage, failures, a full disk and other processes."""

from collections import Counter

import pytest
from campaign_cases import Counting, campaign, done, measured

from spikedoor.errors import OutputError
from spikedoor.records import Store, verify
from spikedoor.study import Workshop
from spikedoor.study.engines import InProcess, Outcome, carry_out
from spikedoor.study.forecast import History
from spikedoor.study.measures import MEASURES
from spikedoor.study.nodes import Node
from spikedoor.study.schedule import work_off


@pytest.mark.parametrize("kind", ["answers", "converted", "ann", "poison"])
def test_damage_is_noticed_set_aside_and_mended(tmp_path, kind):
    made = done(tmp_path / "s")
    truth = measured(made)
    entry = next(made.store.entries(kind))
    folder = made.store.path(entry.key)
    victim = max(folder / name for name in entry.files)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    if kind in ("ann", "converted"):  # seen only when something is made from it
        for leaf in (*made.store.entries("answers"), *made.store.entries("activity")):
            made.store.set_aside(leaf.key, "test")
    again = campaign(tmp_path / "s")
    assert again.missing()
    again.run(InProcess(again.workshop))
    assert measured(again) == truth
    assert not verify(again.store)
    assert any(entry.key in path.name for path in (tmp_path / "s" / "aside").iterdir())


def test_a_failure_stops_only_what_depends_on_it(tmp_path):
    made = campaign(tmp_path / "s")
    engine = Counting(made, fail=("converted",))
    board = made.run(engine)
    assert engine.kinds["direct"] == engine.kinds["ann"] == engine.kinds["converted"] == 3
    assert set(board.failed.values()) == {"no luck"}
    blocked = board.blocked()
    assert Counter(board.todo[key].kind for key in blocked) == {"answers": 6, "activity": 4}
    assert set(blocked.values()) <= set(board.failed)
    status = Counter((r["stage"], r["status"]) for r in made.rows())
    assert status["converted", "missing"] == 4
    assert not any(s == "missing" for stage, s in status if stage == "ann")


def test_why_it_is_missing_is_in_the_table_and_forgotten_when_it_works(tmp_path, monkeypatch):
    def broken(self, ann, batches, steps):
        raise ValueError("this converter\nis broken")

    made = campaign(tmp_path / "s")
    with monkeypatch.context() as patch:
        patch.setattr("spikedoor.rules.conversion.Percentile.convert", broken)
        board = made.run(InProcess(made.workshop))
    assert set(board.failed.values()) == {"ValueError: this converter is broken"}
    reasons = {row["reason"] for row in made.rows() if row["stage"] == "converted"}
    assert reasons == {"converted failed: ValueError: this converter is broken"}
    key = next(iter(board.failed))
    assert "Traceback" in (made.store.failure(key) or "")
    history = History(made.store)
    assert history.why(board.todo[key], made.missing()).startswith("failed before: ValueError")
    again = campaign(tmp_path / "s")
    assert not again.run(InProcess(again.workshop)).failed
    assert {row["status"] for row in again.rows()} <= {"done", "diverged"}
    assert made.store.failure(key) is None


def test_what_has_not_been_run_is_said_to_be_so(tmp_path):
    rows = campaign(tmp_path / "s").rows()
    assert {(row["status"], row["reason"]) for row in rows} == {("missing", "not run yet")}
    assert all(row[name] is None for row in rows for name in MEASURES)


def test_a_store_that_cannot_be_written_ends_the_sweep(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OutputError("no space left")

    made = campaign(tmp_path / "s")
    monkeypatch.setattr(Store, "write", full)
    with pytest.raises(OutputError, match=r"no space left; what is done is kept"):
        made.run(InProcess(made.workshop))


def test_what_another_process_makes_is_waited_for(tmp_path):
    made = campaign(tmp_path / "s")
    todo = made.missing()
    node = next(node for node in todo.values() if node.kind == "poison")
    with made.store.claim(node.key) as mine:
        assert mine
        assert carry_out(node, Workshop(Store(tmp_path / "s"))).ended == "busy"

    class Elsewhere(Counting):
        seen: tuple[str, ...] = ()

        def submit(self, node: Node) -> None:
            if node.key not in self.seen:
                self.seen += (node.key,)
                self._outcomes.append(Outcome(node.key, "busy"))
            else:
                super().submit(node)

    engine = Elsewhere(made)
    only = {node.key: node}
    assert work_off(only, made.store, engine, lambda board: None).done == set(only)
    assert engine.kinds == {"poison": 1}
