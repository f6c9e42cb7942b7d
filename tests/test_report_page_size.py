"""What a page leaves out that would be too large."""

import dataclasses
import json

import numpy as np
import pytest
from page_cases import a_recording, a_run, converted, section, told

from spikedoor.errors import ConfigError
from spikedoor.records.query import Table
from spikedoor.records.samples import Film, Samples
from spikedoor.report.page import Content, of_records, of_study, page
from spikedoor.report.page.size import MOST


@pytest.fixture(scope="module")
def run():
    return a_run()


@pytest.fixture(scope="module")
def shown():
    return a_recording()


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
