"""What a study that was checked says of itself before it starts."""

from __future__ import annotations

import dataclasses
import io

import pytest
from digits_study import SMOKE, STUDY
from rich.console import Console

from lttune.study.prepared import Prepared

JUDGED = dataclasses.replace(STUDY, prepare=lambda folder, replicates: None)


def shown(study, **changes) -> list[str]:
    config = dataclasses.replace(SMOKE, **changes)
    needed = Prepared(config=config, study=study, datasets={}, engine="torch", reason="as asked")
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
