"""Presets: what comes with the package, and published numbers beside measured ones."""

from pathlib import Path

import numpy as np
import pytest
from event_files import Event, aedat2, aedat3, packet

from spikedoor.data import DataSource, Framed, ImageSet
from spikedoor.data.events import Events, EventSet, FrameSet
from spikedoor.data.events.pictures import pictures
from spikedoor.errors import ConfigError
from spikedoor.records import Store
from spikedoor.rules import RuleFromANN
from spikedoor.study import Experiment, Preset, compare, load, load_preset, located, presets, run
from spikedoor.study.measures import MEASURES
from spikedoor.study.preset import Expected
from spikedoor.study.reproduce import reproduction
from spikedoor.victim import Blueprint

SHAPES = {
    "digits": (1, 8, 8), "mnist": (1, 28, 28), "cifar10": (3, 32, 32), "nmnist": (2, 34, 34),
    "cifar10-dvs": (2, 128, 128), "dvs-gesture": (2, 128, 128),
}  # fmt: skip
CLASSES = tuple("0123456789")
CIFAR10 = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


def black(source: DataSource, count: int = 400) -> ImageSet | EventSet | FrameSet:
    """Make images of nothing, or recordings of one event at their end, or frames of these."""
    if isinstance(source, Framed):
        return FrameSet(black(source.source, count), source.framing, source.steps)
    labels, shape = np.arange(count) % 10, SHAPES[source.name]
    if source.modality == "image":
        return ImageSet(np.zeros((count, *shape), np.uint8), labels, CLASSES, "black")
    where = np.zeros(count, np.uint16)
    end, polarity = np.full(count, 300_000, np.int32), np.zeros(count, np.uint8)
    events = Events(where, where, end, polarity, np.arange(count + 1, dtype=np.int64), shape[1:])
    return EventSet(events, labels, CLASSES, "black")


every_preset = pytest.mark.parametrize("name", presets())


@every_preset
def test_every_preset_is_a_valid_experiment_that_fits_its_data(name):
    found = load_preset(name)
    assert found.about.endswith(".")
    assert Experiment.from_dict(found.experiment.to_dict()) == load(name)
    train = black(found.data)
    shape = train.shape
    network = Blueprint(found.network, shape, CLASSES, None).build(None)
    if isinstance(found.rule, RuleFromANN):
        found.rule.converter.check(network)
    poisoned = found.attack.poison(train, seed=0)
    chosen = poisoned.plan.indices[:1]
    assert (pictures(poisoned.batch(chosen)) != pictures(train.batch(chosen))).any()
    stages = {phase.stage for phase in found.rule.phases()}
    assert {one.stage for one in found.expected} <= stages


def spot(label: int, number: int) -> list[Event]:
    """Return the events of a square whose place tells the class."""
    place = 8 + 10 * label
    return [(place + k % 9, place + k // 9 % 9, 100 * k + number, k % 2) for k in range(200)]


def cifar10_dvs(root: Path) -> None:
    for label, name in enumerate(CIFAR10):
        for number in range(4):
            file = root / f"CIFAR10DVS/{name}/{number}.aedat"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(aedat2(spot(label, number)))


def dvs_gesture(root: Path) -> None:
    folder = root / "DvsGesture"
    folder.mkdir()
    for part, users in (("train", range(3)), ("test", range(3, 5))):
        files = [f"user{user:02}_led.aedat" for user in users]
        (folder / f"trials_to_{part}.txt").write_text("\n".join(files))
        for user, file in enumerate(files):
            events = [
                (x, y, t + 20_000 * label, p)
                for label in range(11)
                for x, y, t, p in spot(label, user)
            ]
            cuts = [f"{label + 1},{20_000 * label},{20_000 * (label + 1)}" for label in range(11)]
            (folder / file).write_bytes(aedat3(packet(events)))
            titles = "class,startTime_usec,endTime_usec"
            (folder / file.replace(".aedat", "_labels.csv")).write_text("\n".join([titles, *cuts]))


@pytest.mark.parametrize(
    ("name", "write", "counts"),
    [("cifar10-dvs-hybrid", cifar10_dvs, (36, 4)), ("dvs-gesture-direct", dvs_gesture, (33, 22))],
)
def test_a_preset_of_each_event_data_set_runs_on_files_of_its_form(
    name, write, counts, tmp_path, monkeypatch
):
    monkeypatch.setenv("SPIKEDOOR_CACHE", str(tmp_path / "cache"))
    write(tmp_path)
    small = ["device=cpu", f"data.root={tmp_path}", "data.steps=2", "rule.steps=2", "twin=false"]
    small += ["network.width=4"]
    stages = ("ann", "finetune") if name.endswith("hybrid") else ("training",)
    record = run(load(name, (*small, *(f"rule.{stage}.epochs=1" for stage in stages))))
    assert (record.data["train"], record.data["test"]) == counts
    assert record.poison["count"] == counts[0] // 10
    assert record.evaluation.stages[-1] == ("finetuned" if len(stages) == 2 else "direct")


@pytest.mark.parametrize("name", ["cifar10-dvs", "dvs-gesture"])
def test_their_trigger_can_be_one_of_events(name):
    settings = (f"data={name}", 'attack.trigger={ name = "event-static" }')
    for rule in ("direct", "conversion", "hybrid"):
        assert load(f"{name}-{rule}", settings).attack.trigger.modality == "event"


@pytest.mark.parametrize("name", [name for name in presets() if name.startswith("released-")])
def test_presets_of_the_released_code_say_what_they_are(name):
    first = located(name).read_text().splitlines()[0]
    assert first == "# set-up from the released code; published numbers unavailable"
    found = load_preset(name)
    assert found.expected == ()
    assert (found.attack.trigger.size, found.attack.trigger.placement) == (5, "released-code")


def test_every_rule_and_data_set_of_the_released_code_has_one_and_one_for_the_desk():
    pairs = [f"{data}-lr-{rule}" for data in ("mnist", "cifar10") for rule in "bch"]
    assert {f"{kind}-{pair}" for kind in ("released", "desk") for pair in pairs} <= set(presets())


def test_a_preset_is_found_by_name_or_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load("digits") == load(presets()["digits"])
    assert located("digits.toml").name == "digits.toml"
    assert load("digits", ("rule.steps=9",), seed=4).seed == 4
    with pytest.raises(ConfigError, match=r"no preset or file 'digit'; did you mean 'digits'\?"):
        load("digit")


def test_keys_of_a_preset_are_no_part_of_its_experiment(tmp_path):
    file = tmp_path / "mine.toml"
    text = 'about = "Mine."\ndata = "digits"\nrule = "direct"\n'
    number = 'stage = "direct"\nmeasure = "clean_accuracy"\nvalue = 0.9\ntolerance = 0.1\n'
    file.write_text(f'{text}[[expected]]\n{number}source = "nowhere"\n')
    assert type(load(file)) is Experiment
    assert load(file) == Experiment(data={"name": "digits"}, rule={"name": "direct"})
    assert load_preset(file).expected[0].value == 0.9
    for wrong, told in [
        (f"abut = 1\n{text}", "did you mean 'about'"),
        (f"{text}[[expected]]\n{number}", r"expected\.0\.source: field required"),
        (f"{text}[[expected]]\n{number}source = ''", r"expected\.0\.source"),
        (f"{text}[[expected]]\n{number}source = 's'\nby = 1", r"expected\.0\.by: unknown key"),
    ]:
        file.write_text(wrong)
        with pytest.raises(ConfigError, match=told):
            load_preset(file)


def expected(**fields):
    given = {"stage": "ann", "measure": "clean_accuracy", "value": 0.9, "tolerance": 0.05}
    return Expected(**{**given, "source": "here", **fields})


def row(seed, accuracy, **fields):
    found = {"rule": "ann", "seed": seed, "stage": "ann", "T": 1}
    for name in MEASURES:
        value = accuracy if name == "clean_accuracy" else None
        low, high = (None, None) if value is None else (value - 0.01, value + 0.01)
        found |= {name: value, f"{name}.low": low, f"{name}.high": high, f"{name}.count": 100}
    return found | {"seconds": 1.0, "status": "done", "reason": None} | fields


def test_one_seed_has_the_interval_of_its_samples():
    (found,) = compare([expected()], [row(0, 0.94)])
    assert (found.measured, found.runs) == (0.94, 1)
    assert found.interval == pytest.approx((0.93, 0.95))
    assert found.difference == pytest.approx(0.04)
    assert found.verdict == "within"


def test_several_seeds_have_student_s():
    (found,) = compare([expected()], [row(0, 0.94), row(1, 0.98), row(2, 0.96)])
    # 0.96 -+ 4.3027 * 0.02 / sqrt(3), cut at 1
    assert found.measured == pytest.approx(0.96)
    assert found.interval == pytest.approx((0.91032, 1), abs=1e-4)
    assert (found.runs, found.verdict) == (3, "outside")


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0.95, "within"), (0.85, "within"), (0.9501, "outside"), (0.8499, "outside")],
)
def test_the_tolerance_is_to_both_sides_and_belongs_to_it(value, verdict):
    (found,) = compare([expected()], [row(0, value)])
    assert found.verdict == verdict


def test_what_a_run_lacks_is_missing_and_not_left_out():
    rows = [row(0, 0.9), row(1, None, status="missing", reason="ann failed: no luck")]
    (found,) = compare([expected()], rows)
    assert (found.verdict, found.reason, found.measured) == ("missing", "ann failed: no luck", None)
    wanted = expected(measure="attack_success")
    (found,) = compare([wanted], [row(0, 0.1, status="diverged")])
    assert (found.verdict, found.reason) == ("missing", "diverged")


def test_a_published_number_needs_its_stage(tmp_path):
    preset = Preset(
        data={"name": "digits"}, rule={"name": "direct"}, expected=(expected(stage="ann"),)
    )
    with pytest.raises(ConfigError, match="rule 'direct' has no stage 'ann'"):
        reproduction(preset, Store(tmp_path / "store"))
