"""What a browser makes of a page."""

import pytest
from page_cases import a_recording, a_run, a_study
from table_cases import row

from spikedoor.records.query import Table
from spikedoor.report.page import of_records, of_study


@pytest.fixture(scope="module")
def run():
    return a_run()


@pytest.fixture(scope="module")
def study():
    return a_study()


@pytest.fixture(scope="module")
def shown():
    return a_recording()


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


def test_paper_is_white_and_holds_the_page(opened, run, shown):
    whole = of_records({"runs/one": run}, {"runs/one": shown})
    tab = opened(whole, viewport={"width": 760, "height": 900}, color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert tab.evaluate(ground) != "rgb(255, 255, 255)"
    tab.emulate_media(media="print")
    assert tab.evaluate(ground) == "rgb(255, 255, 255)"
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not tab.locator(".controls button").is_visible()


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


def test_a_chart_of_many_names_is_read_on_a_phone_by_scrolling(opened):
    names = [f"detector-{i:02}" for i in range(13)]
    found = dict.fromkeys(("auroc", "auroc.low", "auroc.high", "auroc.count"), 0.7)
    rows = [row(0, 0.9, 0.8, rule="ann", **{"defence.method": name}, **found) for name in names]
    content = of_study("many", Table.of(rows).mean(), "")
    tab = opened(content, viewport={"width": 390, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    figure = tab.locator("figure.wide").first
    size = "text => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a"
    assert figure.locator("svg text").first.evaluate(size) > 10
    last = figure.locator("circle").last
    inside = "mark => mark.getBoundingClientRect().right <= innerWidth"
    assert not last.evaluate(inside)
    figure.locator("svg").focus()
    for _ in names:
        tab.keyboard.press("ArrowRight")
    assert last.evaluate(inside)
    assert "70.0 %" in tab.locator("#tip").inner_text()
