"""Filtering, choosing, sorting and averaging rows, against answers worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_cases import missing, row

from spikedoor.errors import ConfigError
from spikedoor.records import Table


def column(table, name):
    return [row[name] for row in table.rows]


@pytest.fixture
def mixed():
    """Numbers, text, truth and nothing in one table."""
    return Table.of(
        [
            {"n": 4, "rate": 0.05, "name": "b", "on": True, "any": 0.1},
            {"n": 8, "rate": 0.1, "name": "a,c", "on": False, "any": "auto"},
            {"n": 16, "rate": None, "name": "10", "on": None, "any": None},
            {"n": 8, "rate": 1e-3, "name": "f(x=1, y=2)", "on": True, "any": 2},
        ]
    )


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("n=8", [1, 3]),
        ("n==8.0", [1, 3]),
        ("n!=8", [0, 2]),
        ("n<8", [0]),
        ("n<=8", [0, 1, 3]),
        ("n>8", [2]),
        (" n >= 8 ", [1, 2, 3]),
        ("n in 4, 16", [0, 2]),
        ("n in 8", [1, 3]),
        # As text, 16 would come before 4.
        ("n>=9", [2]),
        ("rate=5e-2", [0]),
        ("rate<0.1", [0, 3]),
        ("rate!=0.1", [0, 2, 3]),
        ("rate=none", [2]),
        ("rate!=none", [0, 1, 3]),
        ("rate<none", []),
        ("rate in none,0.1", [1, 2]),
        ("name=b", [0]),
        ("name=10", [2]),
        ("name=10.0", []),
        ("name>=b", [0, 3]),
        ("name<2", [2]),
        ("name=f(x=1, y=2)", [3]),
        ("name in f(x=1, y=2),b", [0, 3]),
        ("name=B", []),
        ("on=true", [0, 3]),
        ("on!=True", [1, 2]),
        ("any=auto", [1]),
        ("any=0.1", [0]),
        ("any!=auto", [0, 2, 3]),
        # Text is neither greater nor smaller than a number, nor a number than text.
        ("any>=0", [0, 3]),
        ("any<z", [1]),
    ],
)
def test_where(mixed, condition, kept):
    found = mixed.where(condition)
    assert found.rows == tuple(mixed.rows[i] for i in kept)
    assert found.columns == mixed.columns


def test_one_is_not_true():
    table = Table.of([{"x": 1}, {"x": True}])
    assert column(table.where("x=1"), "x") == [1]
    assert table.where("x=1").rows[0]["x"] is not True


def test_big_whole_numbers_are_told_apart():
    table = Table.of([{"seed": 2**53}, {"seed": 2**53 + 1}])
    assert column(table.where(f"seed={2**53 + 1}"), "seed") == [2**53 + 1]


def test_all_conditions_must_hold(mixed):
    assert mixed.where("n=8", "on=true").rows == (mixed.rows[3],)
    assert mixed.where() == mixed


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("nmae=b", "unknown column 'nmae'; did you mean 'name'"),
        ("whatever in 1", "unknown column 'whatever'; known: any, n, name, on, rate"),
        ("n=abc", "holds numbers, got 'abc'"),
        ("n in 4,abc", "holds numbers, got 'abc'"),
        ("n=nan", "holds numbers, got 'nan'"),
        ("on=1", "holds true and false, got '1'"),
        *((text, "in value,value") for text in ("", "n", "n=", "=4", "n=>4", "n<>4", "name~b")),
        *((text, "in value,value") for text in ("n in", "n in 4,,8", "n in 4,", "a b=3")),
    ],
)
def test_wrong_conditions_are_told(mixed, condition, message):
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        mixed.where(condition)


WORDS = st.sampled_from(
    [*"=!<>, ()", "n", "rate", "name", "any", " in ", "nan", "inf", "none", "1", "9" * 5000, "true"]
)


@given(st.text() | st.lists(WORDS).map("".join))
def test_any_text_is_a_condition_or_a_config_error(text):
    table = Table.of(
        [
            {"n": 4, "rate": 0.05, "name": "b", "any": True},
            {"n": 10**400, "rate": math.inf, "name": None, "any": "auto"},
        ]
    )
    try:
        found = table.where(text)
    except ConfigError:
        return
    assert all(row in table.rows for row in found.rows)


def test_rows_of_several_parts_get_all_columns():
    first = row(0, 0.9, 0.8) | {"attack.rate": 0.1}
    second = row(1, 0.9, 0.8) | {"rule.steps": 4}
    table = Table.of([first, second])
    names = ["part", "attack.rate", "seed", "stage", "T", "rule.steps"]
    assert list(table.columns[:6]) == names
    assert set(table.columns) == set(first) | set(second)
    assert column(table, "rule.steps") == [None, 4]


def test_a_table_keeps_its_own_rows():
    source = {"x": 1, "y": math.nan}
    table = Table.of([source])
    source["x"] = 2
    assert table.rows == ({"x": 1, "y": None},)
    with pytest.raises(AttributeError):
        table.rows = ()  # type: ignore[misc]
    with pytest.raises(ConfigError, match=r"column 'x': .* got \[1\]"):
        Table.of([{"x": [1]}])


def test_select_takes_a_measure_with_what_belongs_to_it():
    table = Table.of([row(0, 0.9, 0.8), missing(1)])
    found = table.select("stage", "attack_success", "seed")
    parts = ["attack_success", *(f"attack_success.{part}" for part in ("low", "high", "count"))]
    assert list(found.columns) == ["stage", *parts, "seed", "status", "reason"]
    assert [list(row) for row in found.rows] == [list(found.columns)] * 2
    assert table.select("T", "seed").rows == ({"T": 8, "seed": 0}, {"T": 8, "seed": 1})
    with pytest.raises(ConfigError, match="unknown column 'sede'; did you mean 'seed'"):
        table.select("T", "sede")


def test_sort(mixed):
    assert column(mixed.sort("n", "rate"), "rate") == [0.05, 1e-3, 0.1, None]
    assert column(mixed.sort("-n", "rate"), "rate") == [None, 1e-3, 0.1, 0.05]
    assert column(mixed.sort("any"), "any") == [0.1, 2, "auto", None]
    assert column(mixed.sort("-any"), "any") == ["auto", 2, 0.1, None]
    assert column(mixed.sort("on"), "n") == [8, 4, 8, 16]  # equals keep their order
    with pytest.raises(ConfigError, match="unknown column 'nam'; did you mean 'name'"):
        mixed.sort("-nam")


def test_mean_is_students():
    table = Table.of([row(0, 0.9, 0.2), row(1, 0.92, 0.4), row(2, 0.97, 0.6)])
    (found,) = table.mean().rows
    # s = sqrt(((-.03)^2 + (-.01)^2 + .04^2) / 2) = sqrt(.0013), and t = 4.302653 with 2 degrees
    # of freedom: .93 -+ 4.302653 * sqrt(.0013 / 3); beside it .4 -+ 4.302653 * .2 / sqrt(3).
    assert found["clean_accuracy"] == pytest.approx(0.93)
    assert found["clean_accuracy.low"] == pytest.approx(0.840433, abs=1e-6)
    assert found["clean_accuracy.high"] == 1  # cut, of 1.019567
    assert found["clean_accuracy.count"] == 3
    assert found["attack_success.low"] == 0  # cut, of -0.096828
    assert found["attack_success.high"] == pytest.approx(0.896828, abs=1e-6)
    assert found["migration_ratio"] is None
    assert found["migration_ratio.count"] == 0
    assert [found[name] for name in ("runs", "missing", "status", "reason")] == [3, 0, "done", None]
    assert found["seconds"] == 2
    assert "seed" not in found


def test_groups_are_what_differs_in_order_of_appearance():
    rows = [
        row(seed, clean, 0.5, attack__rate=rate, stage=stage)
        for seed, shift in ((0, 0.0), (1, 0.1))
        for rate, clean in ((0.1, 0.5 + shift), (0.05, 0.7 + shift))
        for stage in ("finetuned", "ann")
    ]
    found = Table.of(rows).mean()
    keys = [(row["attack.rate"], row["stage"]) for row in found.rows]
    assert keys == [(0.1, "finetuned"), (0.1, "ann"), (0.05, "finetuned"), (0.05, "ann")]
    assert column(found, "clean_accuracy") == pytest.approx([0.55, 0.55, 0.75, 0.75])
    assert column(found, "part") == ["grid"] * 4
    assert found == Table.of(rows).mean(by=["part", "attack.rate", "stage", "T"])
    named = Table.of(rows).where("stage=ann").mean(by=["attack.rate"])
    assert named.columns[0] == "attack.rate"
    assert column(named, "clean_accuracy") == pytest.approx([0.55, 0.75])


def test_a_single_run_keeps_the_interval_of_its_samples():
    (found,) = Table.of([row(0, 0.9, 0.8)]).mean().rows
    low, high = found["clean_accuracy.low"], found["clean_accuracy.high"]
    assert (low, found["clean_accuracy"], high) == pytest.approx((0.89, 0.9, 0.91))
    assert (found["clean_accuracy.count"], found["runs"]) == (1, 1)


def test_missing_and_diverged_runs_are_counted_and_told():
    rows = [
        row(0, 0.9, 0.8),
        row(1, 0.1, None, status="diverged"),
        missing(2),
        missing(3, "converted failed: memory"),
        missing(4),
        *(missing(seed, stage="converted") for seed in range(5)),
    ]
    some, none = Table.of(rows).mean().rows
    assert (some["runs"], some["missing"], some["status"]) == (2, 3, "partial")
    assert some["reason"] == "diverged; not run yet; converted failed: memory"
    assert (some["clean_accuracy"], some["clean_accuracy.count"]) == (pytest.approx(0.5), 2)
    # Of the two runs only one has a success: its own interval stays.
    assert (some["attack_success"], some["attack_success.count"]) == (0.8, 1)
    assert some["attack_success.high"] == pytest.approx(0.81)
    assert (none["runs"], none["missing"], none["status"]) == (0, 5, "missing")
    assert none["reason"] == "not run yet"
    assert none["clean_accuracy"] is none["clean_accuracy.low"] is none["seconds"] is None


def test_mean_over_something_else():
    rows = [row(s, 0.5 + s / 10, 0.5, attack__rate=r) for s in (0, 1) for r in (0.1, 0.2)]
    found = Table.of(rows).mean(over="attack.rate")
    assert column(found, "seed") == [0, 1]
    assert column(found, "clean_accuracy") == pytest.approx([0.5, 0.6])
    (both,) = Table.of(rows).mean(over=("seed", "attack.rate")).rows
    assert (both["clean_accuracy"], both["runs"]) == (pytest.approx(0.55), 4)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"by": ["stag"]}, "unknown column 'stag'; did you mean 'stage'"),
        ({"over": "sed"}, "unknown column 'sed'; did you mean 'seed'"),
        ({"by": ["clean_accuracy"]}, "'clean_accuracy' does not identify"),
        ({"over": "status"}, "'status' does not identify"),
        ({"by": ["seed", "stage"]}, "'seed' cannot be both"),
        # Runs of two rates are no sample of one quantity: an interval of theirs would mislead.
        ({"by": ["stage"]}, "rows of 'attack.rate' 0.05 and 0.1; group by it too"),
    ],
)
def test_wrong_groups_are_told(choice, message):
    table = Table.of([row(0, 0.9, 0.8), row(1, 0.9, 0.8, attack__rate=0.1)])
    with pytest.raises(ConfigError, match=message):
        table.mean(**choice)


def test_the_same_run_twice_is_no_second_run():
    with pytest.raises(ConfigError, match="two rows with seed=3"):
        Table.of([row(3, 0.9, 0.8), row(3, 0.9, 0.8)]).mean()


def test_a_table_without_measures_has_no_mean():
    with pytest.raises(ConfigError, match="no measure"):
        Table.of([{"seed": 0}]).mean()
