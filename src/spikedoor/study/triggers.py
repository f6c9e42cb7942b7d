"""The triggers of a sweep, at samples of its data."""

from __future__ import annotations

from spikedoor.records import Gallery
from spikedoor.records.samples import Film
from spikedoor.study.campaign import Campaign
from spikedoor.study.examples import gallery
from spikedoor.study.run import attack_of
from spikedoor.study.samples import filmed

__all__ = ["triggers"]


def triggers(campaign: Campaign) -> dict[str, tuple[Gallery, Film | None, tuple[str, ...]]]:
    """Return what each trigger of a sweep does to samples: gallery, film, names of the classes.

    A trigger that learns is left out until it has learned.
    """
    found: dict[str, tuple[Gallery, Film | None, tuple[str, ...]]] = {}
    workshop = campaign.workshop
    for planned in campaign.cells:
        trigger = planned.experiment.attack.trigger
        data = workshop.dataset(planned.experiment.data)
        set_to = trigger.model_dump(mode="json", exclude_defaults=True)
        about = [f"{key} {value}" for key, value in set_to.items() if key != "name"]
        name = ", ".join([data.name, trigger.name, *about])
        learned = planned.trigger is None or campaign.store.entry(planned.trigger.key) is not None
        if name in found or not learned:
            continue
        attack = attack_of(planned, data, workshop.result)
        shown = gallery(data, attack)
        if len(shown.labels):
            found[name] = shown, filmed(data, attack), data.test.classes
    return found
