"""What is of one length: as many steps, or as many epochs where that is what was asked for."""

from __future__ import annotations

import pandas as pd
import pytest
from sample_study import write_study

from analysis.frame import load
from analysis.report.answer import scale_line
from analysis.tables.same_setting import elsewhere, is_same

BASE = {"model.name": "lenet-9-5", "data.name": "mnist", "train.steps": 80, "train.epochs": 2.0}
IN_STEPS = {**BASE, "train.epochs": None}
OLDER = {name: value for name, value in BASE.items() if name != "train.epochs"}


def networks(*lengths, epochs=True):
    names = ["train.steps", "train.epochs"] if epochs else ["train.steps"]
    table = pd.DataFrame([dict(zip(names, one, strict=False)) for one in lengths])
    return table.assign(**{"model.name": "lenet-9-5", "data.name": "mnist"})


@pytest.mark.parametrize(
    ("found", "base", "place"),
    [
        (networks((40, 2.0)), BASE, ""),
        (networks((40, 2.0), (160, 2.0)), BASE, ""),
        (networks((40, 1.0)), BASE, "lenet-9-5, mnist, 1 epochs"),
        (networks((60, 1.5)), BASE, "lenet-9-5, mnist, 1.5 epochs"),
        (networks((40, None)), BASE, "lenet-9-5, mnist, 40 steps"),
        (networks((80, None)), BASE, ""),
        (networks((40, 2.0)), IN_STEPS, "lenet-9-5, mnist, 40 steps"),
        (networks((80, 2.0)), IN_STEPS, ""),
        (networks((40,), epochs=False), OLDER, "lenet-9-5, mnist, 40 steps"),
        (networks((40,), epochs=False), BASE, "lenet-9-5, mnist, 40 steps"),
    ],
)
def test_a_length_is_the_bases_in_the_unit_that_both_are_given_in(found, base, place):
    assert elsewhere(found, base) == place


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (networks((40, 2.0)), networks((80, 2.0)), True),
        (networks((80, 1.0)), networks((80, 2.0)), False),
        (networks((80, None)), networks((80, 2.0)), True),
        (networks((40, None)), networks((80, 2.0)), False),
        (networks((40,), epochs=False), networks((80, 2.0)), False),
    ],
)
def test_two_groups_are_of_one_length_in_the_unit_that_both_are_given_in(one, other, same):
    assert is_same(one, other) is same


def test_the_line_of_a_studys_size_has_both_units(tmp_path):
    train = {"lr": 1e-3, "batch_size": 60, "steps": 1833, "epochs": 2.5}
    study = load(write_study(tmp_path / "epochs", lottery={"levels": 4, "train": train}))
    assert "digits, 2.5 epochs (1,833 steps) per level, " in scale_line(study)
    plain = load(write_study(tmp_path / "steps"))
    assert "digits, 1,000 steps per level, " in scale_line(plain)
