"""The triggers of a sweep, at samples of its data."""

from __future__ import annotations

from spikedoor.attack import Attack
from spikedoor.attack.triggers.learned import WEIGHTS_FILE, prepared, unpacked_weights
from spikedoor.data import DataSource
from spikedoor.data.base import Dataset
from spikedoor.records import Gallery, Store
from spikedoor.records.samples import Film
from spikedoor.study.examples import filmed, gallery
from spikedoor.study.index import Index

__all__ = ["triggers"]


def triggers(index: Index, store: Store) -> dict[str, tuple[Gallery, Film | None, tuple[str, ...]]]:
    """Return what each trigger of a sweep does to samples: gallery, film, names of the classes.

    A trigger that learns is left out until it has learned.

    Args:
        index: The experiments.
        store: With what triggers have learned.

    Raises:
        MissingDataError: If a data set is not here.
    """
    found: dict[str, tuple[Gallery, Film | None, tuple[str, ...]]] = {}
    read: dict[str, Dataset] = {}
    for one in index.readings:
        attack, source = Attack.from_dict(one.attack), DataSource.from_dict(one.data)
        set_to = attack.trigger.model_dump(mode="json", exclude_defaults=True)
        about = [f"{key} {value}" for key, value in set_to.items() if key != "name"]
        learned = None if one.trigger is None else store.read(one.trigger)
        place = source.model_dump_json()
        data = read[place] = read[place] if place in read else source.load()
        name = ", ".join([data.name, attack.trigger.name, *about])
        if name in found or (one.trigger is not None and learned is None):
            continue
        weights = None if learned is None else unpacked_weights(learned[1].get(WEIGHTS_FILE, b""))
        trigger = prepared(attack.trigger, data.train, one.seed, weights)
        attack = attack.model_copy(update={"trigger": trigger})
        shown = gallery(data, attack)
        if len(shown.labels):
            found[name] = shown, filmed(data, attack), data.test.classes
    return found
