"""Errors of users, and hints at what they meant."""

import pytest

from spikedoor.errors import (
    ConfigError,
    DataError,
    MissingDataError,
    OutputError,
    PluginError,
    SpikedoorError,
    hint,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError, 2),
        (PluginError, 2),
        (OutputError, 2),
        (DataError, 3),
        (MissingDataError, 3),
        (SpikedoorError, 1),
    ],
)
def test_each_has_its_exit_code(error, code):
    assert issubclass(error, SpikedoorError)
    assert error.exit_code == code


def test_a_wrong_value_is_a_value_error():
    assert issubclass(ConfigError, ValueError)


@pytest.mark.parametrize(
    ("name", "choices", "expected"),
    [
        ("ptch", ["patch", "blend"], "; did you mean 'patch'?"),
        ("PATCH", ["patch", "blend"], "; did you mean 'patch'?"),
        ("patch", ["patches", "patch"], "; did you mean 'patch'?"),
        ("zzz", ["patch", "blend"], "; known: blend, patch"),
        ("", ["b", "a"], "; known: a, b"),
        ("x", [], ""),
        (5, ["5a"], "; did you mean '5a'?"),
        ("patch", (name for name in ["patch"]), "; did you mean 'patch'?"),
    ],
)
def test_hint(name, choices, expected):
    assert hint(name, choices) == expected
