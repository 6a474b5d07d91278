"""What tables and commands call an objective of one's own."""

from __future__ import annotations

import pandas as pd
import pytest
from sample_study import search_trials, write_study

from analysis import load
from analysis.commands.importance import _objective
from analysis.tables.objective import directions, is_minimized, objective_name, reading_density

ABOUT = {"name": "./gain.py:best_gain", "direction": "minimize", "directions": ["minimize"]}


def test_tables_name_it_without_its_file_and_read_its_density(tmp_path):
    config = {"objective": {"name": ABOUT["name"], "density": 0.3}}
    folder = write_study(tmp_path, [], search_trials(3), objective=ABOUT, config=config)
    study = load(folder)
    assert objective_name(study) == "best_gain"
    assert reading_density(study) == 0.3
    assert (directions(study), is_minimized(study)) == (["minimize"], True)


def test_importances_of_it_are_of_its_recorded_numbers(tmp_path):
    study = load(write_study(tmp_path, [], search_trials(2), objective=ABOUT))
    numbers, values = study.trials["number"].tolist(), study.trials["objective"].tolist()
    points = pd.DataFrame({"trial": numbers[:1], "trials": [numbers]})
    ((name, (means, minimize)),) = _objective(study, points).items()
    assert values[0] != values[1]
    assert (name, minimize) == ("best_gain", True)
    assert means.to_dict() == {numbers[0]: pytest.approx(sum(values) / 2)}
