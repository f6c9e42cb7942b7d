"""Every reader that fuzz/ knows: its whole files are read, and damaged ones end in a clean error.

Files in tests/corpus/TARGET/ once broke a reader, or are of the kind that breaks readers.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_events_packed import FLIPS, damaged

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))

from fuzz import models  # noqa: E402
from fuzz.run import changed, check, targets  # noqa: E402
from spikedoor.errors import DataError  # noqa: E402

TARGETS = targets()
CORPUS = sorted(path for path in (HERE / "corpus").glob("*/*"))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=TARGETS)
def name(request):
    if request.param in ("hdf5", "nir"):
        pytest.importorskip("h5py", reason="HDF5 needs h5py")
    return request.param


def test_whole_files_are_read(name):
    for seed in TARGETS[name].seeds():
        TARGETS[name].run(seed)


def test_damaged_files_are_read_or_refused(name):
    target = TARGETS[name]
    whole = target.seeds()

    @settings(max_examples=25, deadline=None)
    @given(st.sampled_from(whole), FLIPS, st.floats(0, 1), st.randoms(use_true_random=False))
    def read(seed, flips, length, draw):
        check(target, damaged(seed, flips, length))
        check(target, changed(seed, draw.choice(whole), target.words, draw))

    read()


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_once_broke_a_reader(path):
    start = time.process_time()
    check(TARGETS[path.parent.name], path.read_bytes())
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("answers", "detection"),
        ("detection", "operations"),
        ("activity", "answers"),
        ("direct", "ann"),
    ],
)
def test_an_index_whose_results_are_of_another_kind_is_refused(kind, other):
    index = json.loads(models._index())
    kinds = {key: made["kind"] for key, made in index["made"].items()}
    one, two = (
        next(k for k, found in kinds.items() if found == wanted) for wanted in (kind, other)
    )
    readings = json.dumps(index["readings"])
    index["readings"] = json.loads(readings.replace(one, "?").replace(two, one).replace("?", two))
    index["made"][one]["kind"], index["made"][two]["kind"] = other, kind
    with pytest.raises(DataError, match="the index tells of"):
        models._read_index(json.dumps(index).encode())


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda index: index["readings"][1]["steps"].update(converted=1), None),
        (lambda index: index["readings"][1]["steps"].update(repaired=5), "answers after 5 steps"),
        (lambda index: next(iter(index["tests"].values()))["labels"].pop(), "to 5 samples"),
    ],
    ids=["fewer steps of one stage", "more steps", "fewer labels"],
)
def test_an_index_that_does_not_fit_its_results_is_read_as_far_as_it_goes(wrong, told):
    index = json.loads(models._index())
    wrong(index)
    with pytest.raises(DataError, match=told) if told else contextlib.nullcontext():
        models._read_index(json.dumps(index).encode())


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is told by Linux")
@pytest.mark.parametrize("name", ["hdf5", "nir"])
def test_hdf5_takes_no_memory_on_the_word_of_a_file(name):
    code = (
        "import pathlib, re, sys\n"
        "from fuzz.run import check, targets\n"
        "def peak():\n"
        # Not ru_maxrss, which begins at what the process had that started this one.
        "    status = pathlib.Path('/proc/self/status').read_text()\n"
        "    return int(re.search(r'VmHWM:\\s*(\\d+)', status)[1]) >> 10\n"
        "target, paths = targets()[sys.argv[1]], sorted(pathlib.Path(sys.argv[2]).iterdir())\n"
        "before = peak()\n"
        "for path in paths:\n"
        "    check(target, path.read_bytes())\n"
        "print(peak() - before)\n"
    )
    paths = os.pathsep.join([str(HERE.parent), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code, name, str(HERE / "corpus" / name)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    # MB, of which the shape of a node may take 128. HDF5's own library takes 11,000.
    assert int(done.stdout) < 160


@pytest.mark.skipif(sys.platform != "linux", reason="what is resident is told by Linux")
def test_a_guided_run_keeps_nothing_of_comparisons(tmp_path):
    pytest.importorskip("atheris", reason="guided fuzzing needs atheris")
    code = (
        "import argparse, pathlib, re, sys\n"
        "import atheris, numpy as np\n"
        "from fuzz.run import guided\n"
        "from fuzz.target import Target\n"
        "zeros, resident = np.zeros(1 << 20, np.int8), []\n"
        "@atheris.instrument_func\n"
        "def read(data):\n"
        "    ones = zeros + 1\n"
        "    right = zeros < ones, zeros <= 0, zeros == 0, ones != zeros, 1 > zeros, ones >= 1\n"
        "    wrong = zeros < 0, ones <= zeros, zeros == ones, 1 != ones, 0 > ones, zeros >= 1\n"
        "    assert np.all(right) and not np.any(wrong)\n"
        "    assert data[:1] <= data and 3 != len(data) + 9\n"
        "    status = pathlib.Path('/proc/self/status').read_text()\n"
        "    resident.append(int(re.search(r'VmRSS:\\s*(\\d+)', status)[1]) >> 10)\n"
        "    assert resident[-1] - resident[0] < 100, resident\n"  # 12 MB an input were kept
        "args = {'runs': 40, 'max_seconds': 60, 'seed': 1, 'timeout': 10, 'memory': 4096}\n"
        "args |= {'target': 'arrays', 'corpus': sys.argv[1]}\n"
        "guided(Target(lambda: [b'a'], read), argparse.Namespace(**args))\n"
    )
    paths = os.pathsep.join([str(HERE.parent), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "corpus")],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
