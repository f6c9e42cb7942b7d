"""Bars on a terminal, silence elsewhere."""

import pytest
from cli_cases import Terminal

from spikedoor import progress
from spikedoor.progress import bar


def count(total: int = 3) -> None:
    with bar("outer", total) as advance:
        for i in range(total):
            with bar("inner", 2) as step:
                step(2, note="half way")
            advance(note=f"loss {i}")


def test_silent_where_no_terminal_is(capfd):
    count()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("terminal", ["dumb", "unknown"])
def test_silent_on_a_terminal_that_cannot_draw(monkeypatch, terminal):
    shown = Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setenv("TERM", terminal)
    count()
    assert shown.getvalue() == ""


def test_shows_titles_counts_and_notes_on_a_terminal(monkeypatch):
    shown = Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with bar("outer", 3) as advance:
        advance(2, note="loss 0.5")
        progress._display.get().refresh()
    for text in ("outer", "2/3", "loss 0.5"):
        assert text in shown.getvalue()


@pytest.mark.parametrize("visible", [True, False])
def test_counting_by_any_amount_and_notes_alone_are_fine(visible):
    with bar("title", 5, visible=visible) as advance:
        advance()
        advance(3)
        advance(0, note="only a note")
        advance(10)


def test_bars_nest_in_one_display():
    with bar("outer", 1):
        display = progress._display.get()
        with bar("inner", 1):
            assert progress._display.get() is display
            assert len(display.tasks) == 2
        assert [task.description for task in display.tasks] == ["outer"]
    assert progress._display.get() is None


@pytest.mark.parametrize("visible", [True, False])
def test_an_error_goes_through_and_ends_the_display(visible):
    def fail() -> None:
        with bar("outer", 1), bar("inner", 1, visible=visible):
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert progress._display.get() is None


def test_an_invisible_bar_opens_no_display():
    with bar("", 1, visible=False):
        assert progress._display.get() is None
