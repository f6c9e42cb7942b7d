"""What stands in a page."""

import pytest
from page_cases import a_run, a_study, converted, section, told
from table_cases import row

from spikedoor.errors import ConfigError
from spikedoor.records.query import Table
from spikedoor.report.page import Content, of_records, of_study, page
from spikedoor.study.toml import read_table


@pytest.fixture(scope="module")
def run():
    return a_run()


@pytest.fixture(scope="module")
def study():
    return a_study()


def test_no_text_of_a_record_ends_the_element_that_holds_it():
    evil = "</script><script>alert(1)</script>"
    content = page(Content(evil, evil, evil, ({"title": evil, "note": "@SCRIPT@ @DATA@"},)))
    assert evil.encode() not in content
    found = told(content)
    assert found["title"] == evil
    assert found["sections"][0]["note"] == "@SCRIPT@ @DATA@"


def test_the_rates_of_a_run_stand_in_it(run):
    found = of_records({"runs/one": run})
    scores = run.evaluation.scores("direct")
    (line,) = section(found, "Rules and stages")["table"]["rows"]
    shares = [cell["value"] for cell in line if isinstance(cell, dict) and "small" in cell]
    assert shares[:2] == [scores.clean_accuracy.value, scores.attack_success.value]
    (chart,) = section(found, "Step by step")["charts"]
    drawn = {one["name"]: [p["y"] for p in one["points"]] for one in chart["series"]}
    steps = run.evaluation.by_step("direct")
    assert drawn["clean accuracy"] == [s.clean_accuracy.value for s in steps]
    assert f"{100 * scores.attack_success.value:.1f} %" in found.verdict


def test_a_study_is_drawn_by_what_varies_and_names_what_is_missing(study):
    charts = section(study, "Poison rate")["charts"]
    assert {chart["title"] for chart in charts} == {
        "ASR by attack.rate, patch",
        "clean accuracy by attack.rate, patch",
    }
    (asr,) = (chart for chart in charts if chart["title"].startswith("ASR"))
    (line,) = asr["series"]
    assert [(p["x"], p["y"]) for p in line["points"]] == [(0.01, 0.2), (0.1, 0.8)]
    assert "Student" in section(study, "Every row")["note"]
    board = section(study, "The board")["table"]
    cells = [cell for line in board["rows"] for cell in line[1:]]
    assert any(cell["text"] == "missing" and "out of memory" in cell["small"] for cell in cells)


def test_few_lines_share_a_chart_and_many_have_one_each():
    names = [f"converter {i}" for i in range(9)]
    for shown in (names[:2], names):
        rows = [converted(n, t, c=t / 10, a=t / 20, r=0.5) for n in shown for t in (4, 8)]
        charts = section(of_study("c", Table.of(rows), ""), "Migration by time steps")["charts"]
        lines = {(chart["title"], one["name"]) for chart in charts for one in chart["series"]}
        if len(shown) == 2:
            assert {title for title, _ in lines} == {
                f"{measure} by T" for measure in ("clean accuracy", "ASR", "migration ratio")
            }
        else:
            assert {title for title, _ in lines} == set(names)
            assert len(lines) == 3 * len(names)
        assert {p["y"] for c in charts for o in c["series"] for p in o["points"]} == {
            0.2, 0.4, 0.5, 0.8
        }  # fmt: skip


def test_a_part_and_a_stage_that_are_called_like_their_rule_are_told_once():
    def of(name, rule, stage, trigger, **more):
        about = {"part": name, "rule": rule, "attack.trigger": trigger}
        return row(0, 0.9, 0.8, 0.9, stage=stage, **about, T=4) | more

    plain = [
        of(rule, rule, stage, trigger, **{"attack.rate": rate})
        for rule, stage in (("direct", "direct"), ("hybrid", "finetuned"), ("ann", "ann"))
        for trigger in ("patch", "blended")
        for rate in (0.01, 0.1)
    ]
    found = of_study("three", Table.of(plain), "")
    lines = {one["name"] for c in section(found, "Poison rate")["charts"] for one in c["series"]}
    assert lines == {"LR_B direct", "LR_H hybrid", "ann"}
    methods = [line[0] for line in section(found, "The board")["table"]["rows"]]
    assert methods == ["LR_B direct", "LR_H hybrid", "ann"]
    assert {"part", "rule"} <= set(section(found, "Every row")["table"]["columns"])

    # Parts that say no more than rule and trigger are left out, those that say more are not.
    for said, more, name in (
        ("attack.trigger", ("",), "LR_B direct"),
        ("rule", (" wide", " narrow"), "LR_B direct, direct wide"),
    ):
        parts = [one | {"part": one[said] + width} for one in plain for width in more]
        board = section(of_study("more", Table.of(parts), ""), "The board")["table"]["rows"]
        assert board[0][0] == name

    score = dict.fromkeys(("auroc", "auroc.low", "auroc.high", "auroc.count"), 0.7)
    looked = [
        of(rule, rule, rule, "patch", **score, **{"defence.method": method})
        for rule in ("direct", "ann")
        for method in ("scan", "beatrix")
    ]
    found = of_study("defended", Table.of(looked), "")
    assert section(found, "The board")["table"]["columns"] == ["method", "LR_B direct", "ann"]
    (chart,) = section(found, "Detectors")["charts"]
    assert [one["name"] for one in chart["series"]] == ["LR_B direct", "ann"]


def test_a_verdict_names_its_ends_in_few_words():
    def of(rule, trigger, rate, success):
        stage, part, steps = {"direct": ("direct", "LR_B", 4)}.get(rule, ("converted", "late", 64))
        about = {"rule": rule, "stage": stage, "part": part, "T": steps}
        return row(0, 0.9, success, **about, attack__rate=rate, attack__trigger=trigger)

    small, large = (f"event-static(size={size}, rate=40)" for size in (3, 5))
    flash = "event-flash(rate=50)"
    rows = [
        of("direct", small, 0.01, 0.1),
        of("direct", large, 0.1, 0.3),
        of("direct", flash, 0.1, 0.5),
        of("conversion", large, 0.1, 0.6),
        of("conversion", flash, 0.1, 0.9),
    ]
    verdict = of_study("events", Table.of(rows), "").verdict
    assert f"(LR_B, rate 0.01, {small})" in verdict
    assert "(LR_C, rate 0.1, event-flash)" in verdict


def test_steps_come_from_their_own_rows_and_times_from_each_stage_once():
    rows = [converted(n, 8, c=0.9, a=0.8, r=0.9) for n in ("max", "other")]
    steps = [converted(n, t, c=0.9, a=0.8, r=0.9) for n in ("max", "other") for t in range(1, 9)]
    found = of_study("c", Table.of(rows), "", Table.of(steps))
    chart = section(found, "Migration by time steps")["charts"][0]
    assert [p["x"] for p in chart["series"][0]["points"]] == list(range(1, 9))
    (time,) = section(found, "Time")["charts"]
    assert time["names"] == ["LR_C conversion, converted"]
    assert [p["y"] for p in time["series"][0]["points"]] == [2.0]


def test_no_rows_make_no_page():
    with pytest.raises(ConfigError, match="one row"):
        of_study("rates", Table.of([]), "")


def test_a_run_without_samples_says_what_makes_them(run):
    found = of_records({"runs/old one": run})
    (text,) = section(found, "Output neurons")["texts"]
    assert text["text"] == "spikedoor probe 'runs/old one' --keep"


def test_what_a_page_shows_of_a_run_repeats_it(run, tmp_path):
    again = section(of_records({"runs/one": run}), "To do it again")["texts"]
    assert again[0]["text"] == "spikedoor run runs/one/record.json"
    (tmp_path / "one.json").write_text(again[1]["text"])
    assert read_table(tmp_path / "one.json") == run.experiment
