"""What tables print, against text written by hand."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_cases import missing, row

from spikedoor.records import Table


@pytest.fixture
def table():
    return Table.of(
        [
            row(0, 0.987, 0.5, stage="ann"),
            row(0, 0.1, stage="converted", status="diverged"),
            missing(1, stage="ann"),
            missing(1, "ann failed: no | memory\n50 %", stage="converted"),
        ]
    )


def test_text(table):
    assert table.text() == "\n".join(
        [
            "part=grid, attack.rate=0.05, T=8",
            "seed  stage       clean_accuracy %   attack_success %  seconds  remarks",
            "   0  ann        98.7 [97.7, 99.7]  50.0 [49.0, 51.0]      2.0",
            "   0  converted   10.0 [9.0, 11.0]                  –      2.0  diverged",
            "   1  ann                  missing            missing        –  missing: not run yet",
            "   1  converted            missing            missing        –  "
            "missing: ann failed: no | memory 50 %",
            "",
            "Rates with the 95 % interval of their test samples.",
        ]
    )


def test_text_of_means_says_how_many_runs():
    rows = [row(0, 0.9, 0.5), row(1, 0.92, None, status="diverged"), row(2, 0.97, 0.5), missing(3)]
    rows += [row(0, 0.9, 0.5, stage="converted")]
    head, first, second = Table.of(rows).mean().text().splitlines()[1:4]
    assert head.split() == [
        "stage",
        "runs",
        "clean_accuracy",
        "%",
        "attack_success",
        "%",
        "seconds",
        "remarks",
    ]
    assert first.startswith(
        "ann        n=3, 1 missing  93.0 [84.0, 100.0]  50.0 [50.0, 50.0] (n=2)"
    )
    assert first.endswith("partial: diverged; not run yet")
    assert second.startswith("converted  n=1              90.0 [89.0, 91.0]  ")


def test_narrow_text_puts_what_does_not_fit_below(table):
    wide, narrow = table.text(), table.text(width=60)
    assert max(map(len, wide.splitlines())) > 60
    blocks = narrow.split("\n\n")
    assert [block.splitlines()[-1].split()[:2] for block in blocks[:-1]] == [["1", "converted"]] * 3
    for piece in ("98.7 [97.7, 99.7]", "50.0 [49.0, 51.0]", "missing: not run yet"):
        assert narrow.count(piece) == 1
    assert table.text(width=500) == wide
    assert "98.7 [97.7, 99.7]" in table.text(width=1)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_text_shows_every_reason_on_its_line(reasons):
    table = Table.of([missing(seed, reason) for seed, reason in enumerate(reasons)])
    lines = [line for line in table.text().split("\n") if "missing" in line]
    assert len(lines) == len(reasons)
    for line, reason in zip(lines, reasons, strict=True):
        words = "".join(c if c.isprintable() else " " for c in reason).split()
        assert " ".join(line.split()).endswith(" ".join(["missing:", *words]))


def test_what_all_rows_share_is_not_repeated():
    rows = [row(seed, 0.9, 0.8, rule__converter=None) for seed in (0, 1)]
    shared, head = Table.of(rows).text().splitlines()[:2]
    assert shared == "part=grid, attack.rate=0.05, stage=ann, T=8"
    assert head.split() == ["seed", "clean_accuracy", "%", "attack_success", "%", "seconds"]
    # With nothing else to show, it is shown in place.
    assert Table.of(rows).select("stage", "T").text() == "stage  T\nann    8\nann    8"


def test_true_and_one_are_not_shared():
    lines = Table.of([{"x": True, "y": 1.0}, {"x": 1, "y": 1}]).text().splitlines()
    assert lines == ["y=1.0", "   x", "true", "   1"]


@pytest.mark.parametrize("empty", [Table.of([]), Table.of([row(0, 0.9, 0.8)]).where("T=9")])
def test_no_rows(empty):
    assert empty.text().endswith("No rows.")
    assert empty.markdown().endswith("No rows.")
    assert r"\bottomrule" in empty.latex()
    assert empty.csv().splitlines()[0] == ",".join(empty.columns)


def test_csv_holds_the_rows_in_full(table):
    rate = 0.1 + 0.2
    table = Table.of([*table.rows, row(7, rate, rate, part='a "b", c;\r\nd')])
    read = list(csv.DictReader(io.StringIO(table.csv(), newline=""), strict=True))
    assert tuple(read[0]) == table.columns
    assert len(read) == len(table.rows)
    for text, plain in zip(read, table.rows, strict=True):
        assert text == {n: "" if value is None else str(value) for n, value in plain.items()}
    assert float(read[-1]["clean_accuracy"]) == rate
    assert table.csv().startswith("part,attack.rate,seed,")
    assert '"a ""b"", c;\r\nd"' in table.csv()


def test_markdown(table):
    assert table.select("seed", "stage", "clean_accuracy").markdown() == "\n".join(
        [
            "| seed | stage | clean_accuracy % | remarks |",
            "| ---: | --- | ---: | --- |",
            "| 0 | ann | 98.7 [97.7, 99.7] |  |",
            "| 0 | converted | 10.0 [9.0, 11.0] | diverged |",
            "| 1 | ann | missing | missing: not run yet |",
            r"| 1 | converted | missing | missing: ann failed: no \| memory 50 % |",
            "",
            "Rates with the 95 % interval of their test samples.",
        ]
    )


def test_markdown_escapes():
    table = Table.of([{"x|y": "a|b", "z": "s|t"}, {"x|y": r"\|<b>*`", "z": "s|t"}])
    assert table.markdown().splitlines() == [
        r"z=s\|t",
        "",
        r"| x\|y |",
        "| --- |",
        r"| a\|b |",
        r"| \\\|\<b>\*\` |",
    ]


def test_latex(table):
    assert table.select("T", "seed", "stage", "attack_success").latex() == "\n".join(
        [
            "% T=8",
            "% Rates with the 95 % interval of their test samples.",
            r"\begin{tabular}{rlrl}",
            r"\toprule",
            r"seed & stage & attack success (\%) & remarks \\",
            r"\midrule",
            r"0 & ann & $50.0_{[49.0,\,51.0]}$ &  \\",
            r"0 & converted & -- & diverged \\",
            r"1 & ann & missing & missing: not run yet \\",
            r"1 & converted & missing & missing: ann failed: no \textbar{} memory 50 \% \\",
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def test_latex_escapes():
    rows = [{"a_b": r"%_&#${}"}, {"a_b": r"~^\<>|"}, {"a_b": "[1]*"}]
    lines = Table.of(rows).latex().splitlines()
    assert lines[2:7] == [
        r"a\_b \\",
        r"\midrule",
        r"\%\_\&\#\$\{\} \\",
        r"\textasciitilde{}\textasciicircum{}\textbackslash{}"
        r"\textless{}\textgreater{}\textbar{} \\",
        # Without braces, a bracket or star at the start of a row is taken for an option of \\.
        r"{[}1]{*} \\",
    ]


def test_latex_comment_stays_on_its_line():
    table = Table.of([{"x": "a\n\\input{evil}", "y": 1}, {"x": "a\n\\input{evil}", "y": 2}])
    assert table.latex().splitlines()[0] == r"% x=a \input{evil}"


def test_unlimited_intervals_are_shown():
    table = Table.of([row(0, 0.9, 0.8, 0.5), row(1, 0.9, 0.8, 0.5)])
    table.rows[0]["migration_ratio.high"] = float("inf")
    table.rows[1]["migration_ratio.high"] = None
    assert "50.0 [49.0, inf]" in table.text()
    assert r"$50.0_{[49.0,\,\infty]}$" in table.latex()
    assert "  50.0" in table.text()
    assert "$50.0$" in table.latex()
