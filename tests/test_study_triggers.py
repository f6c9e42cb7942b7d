"""The triggers of a sweep, before anything of it is made; and the pages of the command line."""

import json

import numpy as np

from spikedoor.records import Store
from spikedoor.study import Campaign, load_sweep
from spikedoor.study.triggers import triggers

SWEEP = """seeds = [0, 1]
[base]
data = { name = "digits-dvs", train_limit = 60, test_limit = 40 }
[base.rule]
name = "direct"
encoding = "frames"
steps = 2
[grid]
attack.rate = [0.05, 0.1]
attack.trigger = [{ name = "event-static", size = 2, rate = 100 }, { name = "timing-shift" }]
"""


def test_each_trigger_is_shown_once_and_nothing_is_made(tmp_path):
    (tmp_path / "two.toml").write_text(SWEEP)
    store = Store(tmp_path / "store")
    found = triggers(Campaign.of(load_sweep(tmp_path / "two.toml"), store).index, store)
    names = [name.split(", ")[1] for name in found]
    assert names == ["event-static", "timing-shift"]
    (static, film, classes), (shift, moved, _) = found.values()
    assert len(classes) == 10
    added = film.triggered.astype(int) - film.clean
    assert (added.sum((1, 2, 3, 4)) > 0).all()
    corner = np.zeros(added.shape[-2:], bool)
    corner[-2:, -2:] = True
    assert not added[..., ~corner].any()
    assert (shift.clean == shift.triggered).all()
    assert (moved.clean != moved.triggered).any()
    assert not (static.clean == static.triggered).all()
    assert not list((tmp_path / "store").glob("entries/*"))


def test_pages_of_a_sweep_that_has_not_been_run_name_what_is_missing(cli, tmp_path):
    (tmp_path / "two.toml").write_text(SWEEP)
    for more in ([], ["--leaderboard"]):
        assert cli("report", "two.toml", "--out", "a.html", *more)[0] == 0
        content = (tmp_path / "a.html").read_text()
        start = content.index('id="data">') + len('id="data">')
        told = json.loads(content[start : content.index("</script>", start)])
        (table, *_) = (one["table"] for one in told["sections"] if "table" in one)
        assert {cell["small"] for line in table["rows"] for cell in line[-2:]} == {"not run yet"}
    code, _, err = cli("report", "two.toml", "folder", "--leaderboard")
    assert code == 2
    assert "got folder" in err
