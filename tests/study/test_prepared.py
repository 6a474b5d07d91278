"""What a study that was checked says of itself before it starts."""

from __future__ import annotations

import dataclasses
import io

import pytest
from digits_study import LOTTERY, SMOKE, STUDY
from rich.console import Console

from lttune.data import load
from lttune.records.objectives import ObjectiveConfig
from lttune.study.checks.depth import cautions
from lttune.study.prepared import Prepared

JUDGED = dataclasses.replace(STUDY, prepare=lambda folder, replicates: None)


def shown(study, **changes) -> list[str]:
    config = dataclasses.replace(SMOKE, **changes)
    told = cautions(config, study, [], {})
    needed = Prepared(
        config=config, study=study, datasets={}, engine="torch", reason="as asked", cautions=told
    )
    text = io.StringIO()
    needed.show_engine(Console(file=text))
    return text.getvalue().splitlines()


@pytest.mark.parametrize(
    ("study", "changes", "names"),
    [
        (JUDGED, {"replicates": 1}, "replicates"),
        (JUDGED, {"replicates": 1, "phases": ("sweep", "confirm")}, "replicates"),
        (STUDY, {"phases": ("confirm",), "confirm_replicates": 1}, "confirm_replicates"),
        (
            JUDGED,
            {"phases": ("anchor", "confirm"), "replicates": 1, "confirm_replicates": 1},
            "replicates and confirm_replicates",
        ),
    ],
)
def test_a_single_replicate_where_verdicts_are_asked_is_said_in_a_line(study, changes, names):
    engine, caution = shown(study, **changes)
    assert engine == "engine: torch (as asked)"
    assert caution == (
        f"{names} of 1: a single replicate has neither an interval nor a verdict; "
        "give 2 or more, better 5"
    )


@pytest.mark.parametrize(
    ("study", "changes"),
    [
        (JUDGED, {"replicates": 2}),
        (JUDGED, {"replicates": 1, "phases": ("search",)}),
        (STUDY, {"replicates": 1}),
        (STUDY, {"confirm_replicates": 1}),
    ],
)
def test_where_none_are_asked_or_can_be_given_nothing_is_said(study, changes):
    assert shown(study, **changes) == ["engine: torch (as asked)"]


SLOW = {"prune.fraction": 0.1, "prune.fractions": {}, "levels": 6}
"""After six levels at a tenth each .53 is left; a fifth each comes to .41 in four."""


def depth_told(density, *others, **objective):
    config = dataclasses.replace(SMOKE, objective=ObjectiveConfig(density=density, **objective))
    base = LOTTERY.override({**SLOW, "prune.fraction": 0.2})
    reached = [base.override(one) for one in others]
    return cautions(config, STUDY, reached, {"digits": load("digits")})


def test_points_that_end_above_the_objectives_density_are_counted_with_the_levels_it_takes():
    shallow, deep = {"prune.fraction": 0.1}, {"prune.fraction": 0.3}
    [told] = depth_told(0.5, shallow, deep, {**shallow, "train.lr": 0.1})
    assert told == (
        "2 of 3 points and corners of what is varied end above density 0.5, where the objective "
        "reads, and count as chance there: levels of 7 would reach it"
    )
    assert depth_told(0.6, shallow, deep) == []
    [told] = depth_told(0.5, {**shallow, "min_density": 0.6})
    assert told.endswith("and count as chance there: min_density ends them")
    whole = {"prune.fraction": 0.1, "prune.fractions": {"fc1": 0.0}}
    [told] = depth_told(0.5, whole, shallow)
    assert told.endswith(": no number of levels reaches it")
    [told] = depth_told(0.5, shallow, name="./mine.py:gain", direction="maximize")
    assert told.endswith(
        "end above density 0.5, where the answer is given: levels of 7 would reach it"
    )
    assert depth_told(0.5, {**shallow, "levels": 7}, deep) == []
    assert depth_told(0.5) == []
    # What is learned, or pruned at once, has no levels to add; ticket_density asks for none.
    assert depth_told(0.4, {"method": "supermask", "levels": 1}) == []
    assert depth_told(0.5, shallow, name="ticket_density") == []
