"""The page: what stands in it, and what a browser makes of it."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from table_cases import missing, row
from test_report_tables import HALF_FOOLED, OTHER_FOOLED, RIGHT, answers, record

from spikedoor.errors import ConfigError
from spikedoor.records.query import Table
from spikedoor.records.samples import Film, Samples
from spikedoor.records.traces import Course, OutputTraces, Probed
from spikedoor.report.page import Content, of_leaderboard, of_records, of_study, page
from spikedoor.report.page.size import MOST
from spikedoor.study.toml import read_table


def told(content: bytes) -> dict:
    """Return the data of a page."""
    text = content.decode()
    start = text.index('id="data">') + len('id="data">')
    return json.loads(text[start : text.index("</script>", start)])


def section(content: Content, title: str) -> dict:
    return next(one for one in content.sections if one["title"] == title)


@pytest.fixture(scope="module")
def run():
    victim = answers((RIGHT, OTHER_FOOLED), (RIGHT, HALF_FOOLED))
    return record("direct", {"direct": victim}, {"direct": answers((RIGHT, RIGHT), (RIGHT, RIGHT))})


@pytest.fixture(scope="module")
def study():
    rows = [
        row(
            seed,
            0.9,
            attack,
            part="LR_B",
            rule="direct",
            stage="direct",
            T=4,
            **{"attack.rate": rate, "attack.trigger": trigger},
        )
        for seed in (0, 1)
        for trigger in ("patch", "blended")
        for rate, attack in ((0.01, 0.2), (0.1, 0.8))
        if not (trigger == "blended" and rate == 0.1)
    ]
    gap = missing(
        0,
        "out of memory",
        part="LR_B",
        rule="direct",
        stage="direct",
        T=4,
        **{"attack.rate": 0.1, "attack.trigger": "blended"},
    )
    return of_study("rates", Table.of([*rows, gap]).mean(), "spikedoor sweep rates.toml")


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


def converted(name, step, **measured):
    about = {"part": "C", "rule": "conversion", "rule.converter": name}
    return row(0, *measured.values(), stage="converted", **about, T=step)


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


@pytest.fixture(scope="module")
def browser():
    sync = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Debian's chromium")
    with sync.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Return what opens a page, and all that went wrong or was asked of any network."""
    wrong: list[str] = []
    asked: list[str] = []

    def show(content: Content, **context):
        (tmp_path / "page.html").write_bytes(page(content))
        tab = browser.new_page(**context)
        tab.on("console", lambda message: wrong.append(message.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto((tmp_path / "page.html").as_uri())
        return tab

    yield show
    assert not wrong
    assert all(address.startswith(("file:", "data:")) for address in asked)


def test_charts_and_pictures_are_drawn(opened, run):
    tab = opened(of_records({"runs/one": run}))
    assert tab.locator("figure svg circle").count() > 3
    natural = tab.locator(".gallery img").first.evaluate("image => image.naturalWidth")
    assert natural == run.gallery.clean.shape[-1]


def test_a_click_on_a_head_sorts_and_words_filter(opened, study):
    tab = opened(study)
    every = tab.locator("section", has=tab.get_by_role("heading", name="Every row"))
    column = [h.strip() for h in every.locator("th").all_inner_texts()].index("attack success")
    head = every.locator("th button").nth(column)

    def values() -> list[str]:
        return [
            t.split()[0] for t in every.locator(f"td:nth-child({column + 1})").all_inner_texts()
        ]

    head.click()
    rising = values()
    head.click()
    falling = values()
    assert rising[0] == "20.0"
    assert falling[0] == "80.0"
    assert rising[-1] == falling[-1] == "–"
    every.locator("input").fill("patch 80")
    assert every.locator("tbody tr").count() == 1


@pytest.fixture
def shown():
    """One event a frame, walking along the diagonal; triggered, also one in the corner."""
    clean = np.zeros((2, 4, 2, 4, 4), np.uint8)
    clean[:, range(4), 1, range(4), range(4)] = 1
    triggered = clean.copy()
    triggered[:, :, 0, 3, 0] = 1
    film = Film(clean, triggered, np.array([1, 2]), 5000)
    membrane = np.array([[0.5, 1.5, 0], [1.25, -1, 0]], np.float32)
    course = Course(membrane, (membrane > 1).astype(np.float32), membrane, 1)
    picture = np.zeros((1, 8, 8), np.uint8)
    classes = ("zero", "one", "two")
    about = ("toy", "direct", "victim", 1, 1, 0, classes, picture, picture)
    return Samples(film, Probed(*about, (OutputTraces("direct", 1.0, course, course),)))


PIXELS = """canvas => {
    const copy = new OffscreenCanvas(4, 4).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    return [...copy.getImageData(0, 0, 4, 4).data].filter((_, i) => i % 4 === 0);
}"""


def test_the_player_shows_the_frame_of_its_slider_and_plays(opened, run, shown):
    tab = opened(of_records({"runs/one": run}, {"runs/one": shown}))
    player = tab.locator(".player")
    slider, screens = player.locator("input"), player.locator("canvas")
    assert (screens.count(), slider.get_attribute("max")) == (4, "3")

    def lit(screen: int) -> set[int]:
        return {i for i, red in enumerate(screens.nth(screen).evaluate(PIXELS)) if red}

    for step in (0, 2, 3):
        slider.fill(str(step))
        assert lit(0) == {5 * step}
        assert lit(1) == {5 * step, 12}
    assert "15 to 20 ms: 2 events clean, 4 triggered" in player.inner_text()
    slider.focus()
    tab.keyboard.press("ArrowLeft")
    assert lit(0) == {10}
    player.get_by_role("button").click()
    while slider.input_value() != "0":
        tab.wait_for_timeout(50)
    player.get_by_role("button").click()
    stopped = slider.input_value()
    tab.wait_for_timeout(300)
    assert slider.input_value() == stopped
    assert lit(0) == {5 * int(stopped)}


def test_arrow_keys_tell_what_the_pointer_does(opened, run, shown):
    tab = opened(of_records({"runs/one": run}, {"runs/one": shown}))
    tip = tab.locator("#tip")
    drawing = tab.locator(".traces svg").first
    drawing.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    by_key = tip.inner_text()
    assert by_key == "step 2\ntarget zero: membrane 1.25, fires\ntrue one: membrane -1"
    tab.keyboard.press("Escape")
    assert tip.evaluate("tip => tip.style.opacity") == "0"
    drawing.locator(".step").nth(1).hover()
    assert tip.inner_text() == by_key
    chart = tab.locator(".chart svg").first
    chart.focus()
    tab.keyboard.press("ArrowRight")
    first = tip.inner_text()
    tab.keyboard.press("ArrowDown")
    assert first.split("\n")[0] != tip.inner_text().split("\n")[0]


def test_a_run_without_samples_says_what_makes_them(run):
    found = of_records({"runs/old one": run})
    (text,) = section(found, "Output neurons")["texts"]
    assert text["text"] == "spikedoor probe 'runs/old one' --keep"


def test_what_a_page_shows_of_a_run_repeats_it(run, tmp_path):
    again = section(of_records({"runs/one": run}), "To do it again")["texts"]
    assert again[0]["text"] == "spikedoor run runs/one/record.json"
    (tmp_path / "one.json").write_text(again[1]["text"])
    assert read_table(tmp_path / "one.json") == run.experiment


def test_paper_is_white_and_holds_the_page(opened, run, shown):
    whole = of_records({"runs/one": run}, {"runs/one": shown})
    tab = opened(whole, viewport={"width": 760, "height": 900}, color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert tab.evaluate(ground) != "rgb(255, 255, 255)"
    tab.emulate_media(media="print")
    assert tab.evaluate(ground) == "rgb(255, 255, 255)"
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not tab.locator(".controls button").is_visible()


@pytest.fixture
def many(run, shown):
    """A dozen runs with recordings that hardly compress."""
    draw = np.random.default_rng(0)
    records, samples = {}, {}
    for i in range(12):
        clean = draw.integers(0, 40, (2, 12, 2, 64, 64), np.uint8)
        film = Film(clean, clean[::-1], np.array([1, 2]), 5000)
        attack = {"trigger": {"name": f"trigger {i}"}}
        experiment = {**run.experiment, "attack": attack}
        records[f"runs/{i}"] = dataclasses.replace(run, experiment=experiment)
        samples[f"runs/{i}"] = Samples(film, shown.probed)
    return records, samples


def test_a_large_page_leaves_out_players_first_and_says_so(many, opened):
    records, samples = many
    content = of_records(records, samples)
    before = section(content, "The triggers")
    made = page(content)
    assert len(json.dumps(content.to_dict())) > 1.1 * MOST
    assert 0.85 * MOST < len(made) <= MOST
    found = {one["title"]: one for one in told(made)["sections"]}
    triggers = found["The triggers"]
    kept = len(triggers["players"])
    assert 0 < kept < 12
    assert triggers["players"] == json.loads(json.dumps(before["players"][:kept]))
    assert f"{12 - kept} of 12 recordings that play" in triggers["left"]
    assert triggers["galleries"] == json.loads(json.dumps(before["galleries"]))
    assert [one for one in found.values() if "left" in one] == [triggers]
    tab = opened(content)
    assert f"{12 - kept} of 12" in tab.locator(".left").inner_text()
    assert tab.locator(".player").count() == kept


def test_rows_go_last_and_the_command_stays():
    rows = [
        converted(f"c{i}", 8, c=0.9, a=0.8, r=0.9)
        | {f"axis.{k}": f"{i}{40 * 'x'}" for k in "abcde"}
        for i in range(9000)
    ]
    content = of_study("huge", Table.of(rows), "spikedoor sweep huge.toml")
    every = section(content, "Every row")["table"]["rows"]
    made = page(content)
    assert len(made) <= MOST
    found = {one["title"]: one for one in told(made)["sections"]}
    kept = found["Every row"]["table"]["rows"]
    assert 0 < len(kept) < 9000
    assert kept == json.loads(json.dumps(every[: len(kept)]))
    assert f"{9000 - len(kept):,} of 9,000 rows" in found["Every row"]["left"]
    assert found["To do it again"]["texts"][0]["text"] == "spikedoor sweep huge.toml"


def test_what_cannot_be_left_out_makes_no_page():
    with pytest.raises(ConfigError, match=r"at most 5\.0 MB"):
        page(Content("t", "q", "v", ({"title": "t", "note": "n" * MOST},)))


def test_what_no_part_plans_is_not_missing():
    def about(rule, trigger, rate, method=None):
        auroc = dict.fromkeys(("auroc", "auroc.low", "auroc.high", "auroc.count"), 0.7)
        attack = {"attack.trigger": trigger, "attack.rate": rate}
        names = {"part": "defended" if method else "attacked", "rule": rule, "stage": rule}
        return names | attack | {"defence.method": method} | (auroc if method else {})

    crossed = [("patch", 0.01), ("patch", 0.1), ("blended", 0.01)]
    done = [*(("direct", *one) for one in crossed), ("ann", "patch", 0.1)]
    done.append(("direct", "patch", 0.1, "strip"))
    rows = [row(0, 0.9, 0.8, **about(*one)) for one in done]
    rows.insert(3, missing(0, "out of memory", **about("direct", "blended", 0.1)))
    table = Table.of(rows).mean()
    study, leaders = of_study("two", table, ""), of_leaderboard({"two": table}, "")
    for content, name, ahead in ((study, "The board", 1), (leaders, "two", 3)):
        attacks = section(content, f"{name}: attacks")["table"]
        assert attacks["columns"][ahead:] == [
            f"rate {rate}, {trigger}" for trigger, rate in [*crossed, ("blended", 0.1)]
        ]
        cells = {line[0]: line[ahead:] for line in attacks["rows"]}
        planned = {method: [c is not None for c in line] for method, line in cells.items()}
        assert planned == {"LR_B direct": [True] * 4, "ann": [False, True, False, False]}
        gaps = [c["small"] for c in cells["LR_B direct"] if c["text"] == "missing"]
        assert gaps == ["out of memory"]
        detectors = section(content, f"{name}: detectors")["table"]
        assert detectors["columns"][ahead:] == ["LR_B direct, rate 0.1, patch"]
        assert [line[0] for line in detectors["rows"]] == ["strip"]
    assert "1 of 6 cells" in leaders.verdict


@pytest.fixture
def ranking():
    def defended(method, trigger, stage, clean=None, attack=None, reason=None, **measured):
        about = {"rule": "direct", "defence.method": method, "attack.trigger": trigger}
        status = "missing" if reason else "done"
        made = row(0, clean, attack, stage=stage, status=status, reason=reason, **about)
        for name in ("auroc", "effectiveness"):
            value = measured.get(name)
            limits = dict.fromkeys((f"{name}.low", f"{name}.high", f"{name}.count"), value)
            made |= {name: value, **limits}
        return made

    rows = [
        defended("worse", "patch", "direct", 0.9, 0.9, auroc=0.6),
        defended("worse", "blended", "direct", 0.9, 0.9, auroc=0.8),
        defended("better", "patch", "direct", 0.9, 0.9, auroc=0.9),
        defended("better", "blended", "direct", reason="detection failed: too few samples"),
        *(defended("prune", t, "direct", 0.9, 0.9) for t in ("patch", "blended")),
        defended("prune", "patch", "repaired", 0.8, 0.1, effectiveness=0.85),
        defended("prune", "blended", "repaired", reason="not run yet"),
    ]
    return of_leaderboard({"digits": Table.of(rows).mean()}, "spikedoor sweep digits.toml")


def test_a_leaderboard_ranks_by_means_and_says_why_a_cell_is_missing(ranking, opened):
    detectors = section(ranking, "digits: detectors")["table"]
    assert detectors["columns"] == ["method", "mean", "cells", "patch", "blended"]
    told = [(line[0], line[1]["value"], line[2]) for line in detectors["rows"]]
    assert told == [("better", 0.9, "1 of 2"), ("worse", pytest.approx(0.7), "2 of 2")]
    gap = detectors["rows"][0][4]
    assert (gap["text"], gap["small"]) == ("missing", "detection failed: too few samples")
    (repair,) = section(ranking, "digits: repairs")["table"]["rows"]
    assert (repair[0], repair[1]["value"], repair[3]["value"]) == ("prune", 0.85, 0.85)
    assert repair[4]["small"] == "not run yet"
    assert "2 of 6 cells" in ranking.verdict
    tab = opened(ranking)
    assert "too few samples" in tab.locator("table").first.inner_text()


def test_where_attacks_alone_are_compared_triggers_are_ranked():
    def attacked(trigger, rate, success):
        about = {"rule": "direct", "attack.trigger": trigger, "attack.rate": rate}
        return row(0, 0.9, success, stage="direct", **about)

    made = (("weak", 0.01, 0.2), ("weak", 0.1, 0.4), ("strong", 0.01, 0.8), ("strong", 0.1, 1.0))
    rows = [attacked(*one) for one in made]
    ranking = of_leaderboard({"digits": Table.of(rows).mean()}, "spikedoor sweep digits.toml")
    assert ranking.verdict.endswith("All 4 cells have a value.")
    ranked = section(ranking, "digits: attacks")["table"]
    assert ranked["columns"] == ["method", "mean", "cells", "rate 0.01", "rate 0.1"]
    told = [(line[0], round(line[1]["value"], 9), line[2]) for line in ranked["rows"]]
    assert told == [("strong", 0.9, "2 of 2"), ("weak", 0.3, "2 of 2")]


def test_a_legend_hides_its_line(opened, run):
    tab = opened(of_records({"runs/one": run}))
    figure = tab.locator("figure").first
    before = figure.locator("circle:visible").count()
    figure.locator(".legend button").first.click()
    assert figure.locator("circle:visible").count() < before


@pytest.mark.parametrize("width", [1200, 390])
def test_it_fits_a_phone_and_turns_dark(opened, study, width):
    tab = opened(study, viewport={"width": width, "height": 800}, color_scheme="light")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = tab.evaluate(ground)
    tab.locator("#theme").click()
    assert tab.evaluate(ground) != light
