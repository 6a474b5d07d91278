"""The table of phases."""

from __future__ import annotations

from typing import get_args

import pytest

from lttune.config.phase import (
    ORIGINS,
    PHASES,
    Origin,
    PhaseName,
    phase_names,
    phase_of,
    phases_told,
)
from lttune.errors import ConfigError


def test_the_names_that_a_command_line_takes_are_those_of_the_table():
    assert get_args(PhaseName) == tuple(PHASES)
    assert all(phase.name == name for name, phase in PHASES.items())


def test_each_phase_is_told_to_a_person():
    assert all(f"{name}: {phase.told}" in phases_told() for name, phase in PHASES.items())


def test_what_was_written_in_nine_places_is_what_the_table_says():
    assert phase_names(lambda p: p.is_learned_from) == ("anchor", "sweep", "design")
    assert phase_names(lambda p: p.best_of) == ("tune", "search", "random")
    assert phase_names(lambda p: p.ends_with_objective) == ("tune", "search", "random")
    assert phase_names(lambda p: p.is_of_space) == ("search", "random")
    assert phase_names(lambda p: p.is_declared) == ("sweep", "design", "tune")
    assert phase_names(lambda p: not p.is_known_beforehand) == ("search", "random", "confirm")
    assert phase_names(lambda p: not p.is_candidate) == ("confirm",)
    assert phase_names(lambda p: p.is_read_by_claims) == ("anchor", "sweep")
    assert phase_names(lambda p: p.is_base) == ("anchor",)
    assert phase_names(lambda p: p.is_swept) == ("sweep",)
    assert phase_names(lambda p: p.is_design) == ("design",)
    assert phase_names(lambda p: p.is_tuning) == ("tune",)
    assert phase_names(lambda p: p.is_proposed) == ("search",)
    assert phase_names(lambda p: p.is_drawn) == ("random",)
    assert phase_names(lambda p: p.confirms) == ("confirm",)
    assert {phase.origin for phase in PHASES.values()} == ORIGINS.keys() == set(get_args(Origin))


def test_an_unknown_phase_is_one_error():
    with pytest.raises(
        ConfigError, match=r"phase must be one of .*anchor, .*; did you mean 'sweep'"
    ):
        phase_of("sweeep")
