"""What pages are made of, and what stands in one."""

import json

import numpy as np
from table_cases import missing, row
from test_report_tables import HALF_FOOLED, OTHER_FOOLED, RIGHT, answers, record

from spikedoor.records.query import Table
from spikedoor.records.samples import Film, Samples
from spikedoor.records.traces import Course, OutputTraces, Probed
from spikedoor.report.page import Content, of_study


def told(content: bytes) -> dict:
    """Return the data of a page."""
    text = content.decode()
    start = text.index('id="data">') + len('id="data">')
    return json.loads(text[start : text.index("</script>", start)])


def section(content: Content, title: str) -> dict:
    return next(one for one in content.sections if one["title"] == title)


def a_run():
    """The record of a run."""
    victim = answers((RIGHT, OTHER_FOOLED), (RIGHT, HALF_FOOLED))
    return record("direct", {"direct": victim}, {"direct": answers((RIGHT, RIGHT), (RIGHT, RIGHT))})


def a_study():
    """The page of a study with a gap."""
    rows = [
        row(
            seed,
            0.9,
            attack,
            part="LR_B",
            rule="direct",
            stage="direct",
            T=4,
            **{"attack.rate": rate, "attack.trigger": trigger},
        )
        for seed in (0, 1)
        for trigger in ("patch", "blended")
        for rate, attack in ((0.01, 0.2), (0.1, 0.8))
        if not (trigger == "blended" and rate == 0.1)
    ]
    gap = missing(
        0,
        "out of memory",
        part="LR_B",
        rule="direct",
        stage="direct",
        T=4,
        **{"attack.rate": 0.1, "attack.trigger": "blended"},
    )
    return of_study("rates", Table.of([*rows, gap]).mean(), "spikedoor sweep rates.toml")


def a_recording():
    """One event a frame, walking along the diagonal; triggered, also one in the corner."""
    clean = np.zeros((2, 4, 2, 4, 4), np.uint8)
    clean[:, range(4), 1, range(4), range(4)] = 1
    triggered = clean.copy()
    triggered[:, :, 0, 3, 0] = 1
    film = Film(clean, triggered, np.array([1, 2]), 5000)
    membrane = np.array([[0.5, 1.5, 0], [1.25, -1, 0]], np.float32)
    course = Course(membrane, (membrane > 1).astype(np.float32), membrane, 1)
    picture = np.zeros((1, 8, 8), np.uint8)
    classes = ("zero", "one", "two")
    about = ("toy", "direct", "victim", 1, 1, 0, classes, picture, picture)
    return Samples(film, Probed(*about, (OutputTraces("direct", 1.0, course, course),)))


def converted(name, step, **measured):
    about = {"part": "C", "rule": "conversion", "rule.converter": name}
    return row(0, *measured.values(), stage="converted", **about, T=step)
