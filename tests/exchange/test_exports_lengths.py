"""Exports of trials that give their length in another unit than the base configuration."""

from __future__ import annotations

from lttune.exchange.studies import Folder
from lttune.exchange.studies.trial_sets import _tried
from lttune.store.sealed import read_object, write_object


def test_what_a_trial_does_not_say_in_its_unit_is_not_the_bases(study):
    ledger = read_object(study / "trials.json")
    ledger["trials"][0]["hparams"] = {"train.epochs": 2.0}
    ledger["trials"][1]["hparams"] = {"train.steps": 50}
    write_object(study / "trials.json", ledger)
    folder = Folder.read(study)
    base, trials = folder.base["train.steps"], folder.trials[:3]
    columns = folder.columns(["train.steps", "train.epochs"], trials)
    assert columns == {"train.steps": [None, 50, base], "train.epochs": [2.0, None, None]}
    # Each trial's values are among the choices of the space that holds what was tried.
    tried = _tried(folder, trials)
    for trial in trials:
        values = folder.values(trial)
        assert all(values.get(path) in tried[path].choices for path in trial.hparams)
