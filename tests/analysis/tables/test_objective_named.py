"""What tables and commands call an objective of one's own."""

from __future__ import annotations

import pandas as pd
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


def test_importances_of_it_are_of_its_recorded_numbers():
    trials = {"number": [0, 1], "state": ["complete"] * 2, "objective": [1.0, 3.0]}
    points = pd.DataFrame({"trial": [0], "trials": [[0, 1]]})
    ((name, (means, minimize)),) = _objective(pd.DataFrame(trials), points, ABOUT).items()
    assert (name, means.to_dict(), minimize) == ("best_gain", {0: 2.0}, True)
