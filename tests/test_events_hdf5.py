"""Events in HDF5 files as Tonic, Prophesee and NumPy's users write them, and by other names."""

import struct

import numpy as np
import pytest
from hdf5_cases import FORMATS, written
from test_events_readers import EVENTS, FROM_FIRST, npy, npz, read, rows, separate, structured

from spikedoor.data.zips import most_unpacked
from spikedoor.errors import DataError

h5py = pytest.importorskip("h5py", reason="files are written by h5py")
PACKINGS = [
    {},
    {"chunks": (3,), "compression": "gzip", "shuffle": True},
    {"compression": "lzf", "fletcher32": True},
]
METAVISION = np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])

SECONDS = np.dtype([(name, "<f8") for name in "xytp"])


def renamed(**names: str) -> np.ndarray:
    array = structured()
    return array.astype([(names.get(name, name), array.dtype[name]) for name in "xytp"])


@pytest.mark.parametrize("how", PACKINGS, ids=["plain", "gzip", "lzf"])
@pytest.mark.parametrize("place", ["events", "CD/events", "data/events"])
@pytest.mark.parametrize("libver", FORMATS)
def test_a_data_set_with_fields_gives_the_same_events(libver, place, how):
    def change(file):
        values = np.zeros(len(EVENTS), METAVISION)
        for name, column in separate().items():
            values[name] = column
        file.create_dataset(place, data=values, maxshape=(None,) if how else None, **how)

    assert rows(read(written(change, libver), ".h5")) == FROM_FIRST


@pytest.mark.parametrize("place", ["", "events/", "CD/events/", "data/events/"])
def test_data_sets_at_the_same_places(place):
    def change(file):
        for name, values in separate().items():
            file[place + name] = values
        file["other/events"] = [1]

    assert rows(read(written(change), ".h5")) == FROM_FIRST


@pytest.mark.parametrize("t", ["t", "ts", "time", "timestamp"])
@pytest.mark.parametrize("p", ["p", "pol", "polarity"])
def test_times_and_polarities_have_several_names(t, p):
    array = renamed(t=t, p=p)
    assert rows(read(npy(array), ".npy")) == FROM_FIRST
    fields = {name: array[name] for name in array.dtype.names}
    assert rows(read(npz(**fields), ".npz")) == FROM_FIRST

    def apart(file):
        for name, values in fields.items():
            file[f"events/{name}"] = values

    for change in (lambda file: file.create_dataset("events", data=array), apart):
        assert rows(read(written(change), ".h5")) == FROM_FIRST


def test_of_two_names_the_usual_one_is_taken():
    array = np.array([(*event, 9) for event in EVENTS], [*structured().dtype.descr, ("ts", "i4")])
    assert rows(read(npy(array), ".npy")) == FROM_FIRST


def test_the_codec_of_prophesee_is_named():
    how = {"dtype": METAVISION, "compression": "lzf"}
    whole = written(lambda file: file.create_dataset("CD/events", (9,), **how))
    at = whole.index(b"lzf\0") - 8  # where the number of the filter is
    told = r"'CD/events': .* found Prophesee's ECF; .*h5repack -f GZIP=4"
    with pytest.raises(DataError, match=f"^file.h5: {told}"):
        read(whole[:at] + struct.pack("<H", 0x8ECF) + whole[at + 2 :], ".h5")


WRONG = {
    "no t": (
        lambda file: file.create_dataset("events", data=structured()[["x", "y", "p"]]),
        r"'events': expected the fields x, y, t, p, found no 't' among \['p', 'x', 'y'\]",
    ),
    "rows": (
        lambda file: file.create_dataset("events", data=np.array(EVENTS)),
        "'events': expected fields of numbers, found int64",
    ),
    "matrix": (
        lambda file: file.create_dataset("events", data=structured().reshape(2, 2)),
        "expected x as whole numbers",
    ),
    "seconds": (
        lambda file: file.create_dataset("events", data=structured().astype(SECONDS)),
        "expected x as whole numbers",
    ),
    "empty": (lambda file: file.create_dataset("events", (0,), METAVISION), "found none"),
    "nothing": (
        lambda file: file.create_group("CD"),
        r"events at events, CD/events, data/events or the root, .* found no 'x' among \['CD'\]",
    ),
    "group": (
        lambda file: [file.create_group(f"events/{name}") for name in "xytp"],
        "'x': expected a data set in this file, found none",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_named(kind):
    change, message = WRONG[kind]
    with pytest.raises(DataError, match=f"^file.h5: .*{message}"):
        read(written(change), ".h5")


def test_a_table_that_claims_memory_is_refused():
    whole = written(
        lambda file: file.create_dataset("events", (1 << 20,), METAVISION, chunks=(1024,))
    )
    limit = most_unpacked(len(whole))
    with pytest.raises(DataError, match=f"'events': expected at most {limit} bytes, found a claim"):
        read(whole, ".h5")
