"""Frames and Parquet files keep values and their types."""

import subprocess
import sys

import pytest
from table_cases import missing, row

from spikedoor.errors import ConfigError, OutputError
from spikedoor.records import Table

TABLE = Table.of(
    [
        row(0, 0.1 + 0.2, 0.5) | {"auto": 0.1, "on": True, "big": 2**70},
        row(1, 0.1, status="diverged") | {"auto": "auto", "on": False, "big": 1},
        missing(2) | {"auto": None, "on": None, "big": 2},
    ]
)


def test_types():
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = TABLE.to_frame()
    assert tuple(frame.columns) == TABLE.columns
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert {n: kinds[n] for n in ("part", "reason", "auto", "big")} == dict.fromkeys(
        ("part", "reason", "auto", "big"), "string"
    )
    for name in ("clean_accuracy", "attack_success.low", "seconds", "attack.rate"):
        assert kinds[name] == "float64"
    for name in ("seed", "T", "clean_accuracy.count"):
        assert kinds[name] == "Int64"
    assert kinds["on"] == "boolean"


def test_values():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = TABLE.to_frame()
    for name in TABLE.columns:
        for value, cell in zip([plain[name] for plain in TABLE.rows], frame[name], strict=True):
            if value is None:
                assert pandas.isna(cell)
            else:
                assert cell == (str(value) if name in ("auto", "big") else value)


def test_types_of_means_do_not_depend_on_what_is_missing():
    pytest.importorskip("pandas", reason="pandas is not installed")
    full = Table.of([row(0, 0.9, 0.8), row(1, 0.9, 0.8)]).mean().to_frame()
    empty = Table.of([missing(0), missing(1)]).mean().to_frame()
    assert (full.dtypes == empty.dtypes).all()
    assert full["runs"].tolist() == [2]
    assert empty["missing"].tolist() == [2]


@pytest.mark.parametrize("table", [TABLE, TABLE.mean(by=["on"]), TABLE.where("seed=9")])
def test_parquet_comes_back_as_it_went(tmp_path, table):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    table.parquet(tmp_path / "new" / "table.parquet")
    read = pandas.read_parquet(tmp_path / "new" / "table.parquet")
    pandas.testing.assert_frame_equal(read, table.to_frame())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["table.parquet"]


def test_parquet_that_cannot_be_written_is_told(tmp_path):
    pytest.importorskip("pandas", reason="pandas is not installed")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    (tmp_path / "taken").mkdir()
    with pytest.raises(OutputError, match="taken"):
        TABLE.parquet(tmp_path / "taken")


@pytest.mark.parametrize("package", ["pandas", "pyarrow"])
def test_without_the_extra_its_name_is_told(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"{package}.*pip install 'spikedoor\[frames\]'"):
        TABLE.to_frame() if package == "pandas" else TABLE.parquet(tmp_path / "table.parquet")
    assert list(tmp_path.iterdir()) == []


def test_tables_load_neither_torch_nor_pandas():
    code = (
        "import sys; from spikedoor.records import Table\n"
        "Table.of([{'seed': 1}]).csv()\n"
        "sys.exit(bool({'torch', 'pandas', 'pyarrow'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
