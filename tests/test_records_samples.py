"""Samples of a run: kept beside the record as it ends, read without torch, damage refused."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from rules_cases import QUICK, one_thread  # noqa: F401 (one_thread is a fixture)

from spikedoor.attack import Attack
from spikedoor.attack.triggers import EventStatic
from spikedoor.data import DigitsDvs
from spikedoor.data.events import Events
from spikedoor.data.events.counting import totals
from spikedoor.data.events.film import film
from spikedoor.errors import ConfigError, DataError
from spikedoor.files import npz
from spikedoor.records import Record
from spikedoor.records.samples import Samples
from spikedoor.rules import ANN, Direct
from spikedoor.snn.encoding import Frames
from spikedoor.snn.networks import SmallConv
from spikedoor.study import Experiment, run
from spikedoor.study.probe import probe

ATTACK = Attack(trigger=EventStatic(size=2, rate=200), target=0, rate=0.1)


def made(rule, folder):
    data = DigitsDvs(train_limit=100, test_limit=40)
    network = SmallConv(width=4, pool="avg")
    experiment = Experiment(data=data, attack=ATTACK, network=network, rule=rule, twin=False)
    return run(experiment, folder), folder


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    rule = Direct(steps=3, encoding=Frames(), training=QUICK)
    return made(rule, tmp_path_factory.mktemp("samples") / "run")


@pytest.fixture
def copy(events, tmp_path):
    for name in ("record.json", "record.npz", "samples.npz"):
        (tmp_path / name).write_bytes((events[1] / name).read_bytes())
    return tmp_path


def test_a_film_shows_every_event_once_in_its_window():
    times = np.array([0, 9, 10, 29])
    one = Events.of_one(
        np.array([0, 1, 2, 3]), np.zeros(4, int), times, np.array([0, 1, 1, 0]), (1, 4)
    )
    frames, window = film(one, 3)
    assert window == 10
    assert [np.argwhere(frame).tolist() for frame in frames[0]] == [
        [[0, 0, 0], [1, 0, 1]], [[1, 0, 2]], [[0, 0, 3]],
    ]  # fmt: skip
    assert film(one, 3, side=2)[0].shape == (1, 3, 2, 1, 2)
    with pytest.raises(ConfigError, match="one frame"):
        film(one, 0)


def test_a_run_keeps_what_its_page_shows(events):
    record, folder = events
    found = Samples.read(folder, record)
    assert found is not None
    data = DigitsDvs(train_limit=100, test_limit=40).load().test
    labels = found.film.labels
    assert labels.tolist() == record.gallery.labels.tolist()
    first = [int(np.flatnonzero(data.labels == label)[0]) for label in labels]
    clean = data.batch(np.array(first))
    for shown, wanted in (
        (found.film.clean, clean),
        (found.film.triggered, ATTACK.trigger.apply(clean)),
    ):
        assert (shown.sum(1, dtype=int) == totals(wanted)).all()
    again = probe(folder)
    assert (found.probed.index, found.probed.label, found.probed.target) == (
        again.index, again.label, again.target
    )  # fmt: skip
    for kind in ("clean", "triggered"):
        kept, new = (getattr(one.stages[0], kind) for one in (found.probed, again))
        assert kept.predicted == new.predicted
        for name in ("membrane", "spikes", "current"):
            assert (getattr(kept, name) == getattr(new, name)).all()


def test_they_are_read_without_torch(events):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from spikedoor.records import Record\n"
        "from spikedoor.records.samples import Samples\n"
        "from spikedoor.report.page import of_records, page\n"
        f"folder = {str(events[1])!r}; record = Record.read(folder)\n"
        "shown = {folder: Samples.read(folder, record)}\n"
        "assert b'\"players\": [{' in page(of_records({folder: record}, shown))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_figure_of_traces_is_drawn_from_what_was_kept(cli, events, tmp_path):
    folder = shutil.copytree(events[1], tmp_path / "run")
    before = cli("figures", folder, "--kind", "traces", "--format", "svg")
    assert before[0] == 0
    shutil.rmtree(folder / "victim")  # what a probe needs
    assert cli("figures", folder, "--kind", "traces", "--format", "svg") == before


def test_probe_keeps_the_sample_asked_for_where_a_run_has_none(cli, events, tmp_path):
    record, folder = events[0], shutil.copytree(events[1], tmp_path / "run")
    before = Samples.read(folder, record)
    other = int(np.flatnonzero(record.evaluation.labels == before.film.labels[-1])[0])
    (folder / "samples.npz").unlink()
    assert Samples.read(folder, record) is None
    assert cli("probe", folder, "--sample", other, "--keep")[0] == 0
    found = Samples.read(folder, record)
    assert found.probed.index == other
    assert (found.film.triggered == before.film.triggered).all()
    assert cli("probe", folder, "--twin", "--keep")[0] == 2


def test_the_page_of_a_run_has_them(cli, events, tmp_path):
    assert cli("report", events[1], "--out", "page.html")[0] == 0
    content = (tmp_path / "page.html").read_text()
    assert '"players": [{' in content
    assert '"traces": [{' in content


def test_an_ann_has_a_film_alone(tmp_path):
    record, folder = made(ANN(encoding=Frames().for_ann(1), training=QUICK), tmp_path / "ann")
    found = Samples.read(folder, record)
    assert found.film is not None
    assert found.probed is None


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("film/labels", np.array([0, 99, 0, 0, 0, 0])),
        ("film/clean", np.zeros((6, 30, 2, 4), np.uint8)),
        ("probe/index", np.int64(40)),
        ("probe/direct/clean/membrane", np.full((3, 10), np.nan, np.float32)),
        ("probe/direct/triggered/spikes", np.zeros((3, 9), np.float32)),
        ("probe/direct/triggered/predicted", np.int64(10)),
        ("probe/direct/threshold", None),
        ("probe/direct/threshold", np.float64(np.nan)),
        ("film/window", np.float64(np.inf)),
    ],
)
def test_what_does_not_fit_the_record_is_refused(copy, name, wrong):
    arrays = dict(np.load(copy / "samples.npz"))
    arrays.pop(name)
    if wrong is not None:
        arrays[name] = wrong
    (copy / "samples.npz").write_bytes(npz(arrays))
    with pytest.raises(DataError, match="damaged"):
        Samples.read(copy, Record.read(copy))
