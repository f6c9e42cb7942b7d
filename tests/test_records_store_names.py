"""Keys, names and values that the store refuses."""

from pathlib import Path

import pytest
from store_cases import FILES, key, names

from spikedoor.errors import ConfigError

pytestmark = pytest.mark.usefixtures("no_power_cut")


BAD_KEYS = ["", "../x", "a" * 63, "A" * 64, "g" * 64, "a" * 64 + "\n", "/" + "a" * 63, None, 3]


@pytest.mark.parametrize("bad", BAD_KEYS)
def test_bad_keys_are_refused(store, bad):
    uses = [
        store.entry, store.read, store.failure, lambda bad: store.note_failure(bad, "why"),
        lambda bad: store.write(bad, "ann", {}, config={}), lambda bad: store.pin("p", [bad]),
        lambda bad: store.write(key(0), "ann", {}, config={}, inputs={"x": bad}),
        lambda bad: store.claim(bad).__enter__(),
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(ConfigError, match="64 lower-case hex digits"):
            use(bad)
    assert names(store.folder) == ["store.json"]


@pytest.mark.parametrize("bad", ["", ".", "..", "../x", "a/b", ".x", "-x", "x" * 101, "x\n", "\0"])
def test_bad_names_are_refused(store, bad):
    uses = [
        lambda: store.write(key(0), "ann", {bad: b""}, config={}),
        lambda: store.write(key(0), bad, {}, config={}),
        lambda: store.pin(bad, [key(0)]),
        lambda: store.unpin(bad),
    ]
    for use in uses:
        with pytest.raises(ConfigError, match="expected a name"):
            use()
    assert names(store.folder) == ["store.json"]


def test_the_name_of_the_entry_file_is_refused(store):
    with pytest.raises(ConfigError, match=r"entry\.json"):
        store.write(key(0), "ann", {"entry.json": b""}, config={})


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"a": (1, 2)}},
        {"config": {"a": {1: 2}}},
        {"config": {1: 2}},
        {"config": {"a": float("nan")}},
        {"config": {"a": "\ud800"}},
        {"config": {"a": Path("x")}},
        {"config": {}, "seconds": -1},
        {"config": {}, "seconds": float("inf")},
        {"config": {}, "environment": {"a": b"x"}},
    ],
    ids=repr,
)
def test_what_would_not_come_back_as_it_is_is_refused(store, change):
    with pytest.raises(ConfigError, match="cannot be kept"):
        store.write(key(0), "ann", FILES, **change)
    assert names(store.folder) == ["store.json"]


def deep() -> dict:
    nested: dict = {}
    for _ in range(5000):
        nested = {"a": nested}
    return nested


def test_values_too_deep_are_refused(store):
    with pytest.raises(ConfigError, match="cannot be kept"):
        store.write(key(0), "ann", FILES, config=deep())
