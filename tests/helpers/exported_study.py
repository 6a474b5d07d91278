"""A study with every state of a trial, to be exported, and the databases that come of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import digits_study
import optuna

from lttune.exchange.studies import Folder, write_optuna
from lttune.store.sealed import read_object, write_object

REAL = Path(__file__).parents[2] / "docs" / "results" / "sensitivity"
FC1 = "prune.fractions.fc1"
TRIALS = (
    {"phase": "anchor", "hparams": {}, "objective": 0.5},
    {"hparams": {"train.lr": 0.003, FC1: 0.5}, "objective": 0.9},
    {"hparams": {"train.lr": 0.01, FC1: 0.3}, "objective": 0.7},
    {"phase": "sweep", "hparams": {FC1: 0.4}, "objective": 0.8, "role": "sweep"},
    {"phase": "sweep", "hparams": {FC1: 0.4, "train.lr": 0.02}, "objective": 0.4},
    {"phase": "sweep", "hparams": {FC1: 0.4, "train.steps": 30}, "objective": 0.6},
    {"hparams": {"train.lr": 0.01, FC1: 0.6}, "state": "failed", "error": "ValueError: no"},
    {"hparams": {"train.lr": 0.01, FC1: 0.25}, "state": "stopped"},
    {"hparams": {"train.lr": 0.003, FC1: 0.21}, "state": "running"},
)
"""The base configuration names no fraction of fc1: trial 0 is no point of the space."""
INSIDE = [1, 2, 3, 6, 7]
"""Trials that have ended, change nothing but the space's hyperparameters, and lie in it."""
TRAINED = {6: 0, 7: -1, 8: 0}
"""Last level of the trials that have not reached level 1."""
LOTTERY = dataclasses.replace(digits_study.LOTTERY, levels=1)


def last(trial):
    return TRAINED.get(trial, 1)


def change(path, **values):
    write_object(path, read_object(path) | values)


def database(path, name="digits"):
    return optuna.load_study(study_name=name, storage=f"sqlite:///{path}")


def exported(study, name="digits"):
    path = study / "optuna.db"
    write_optuna(Folder.read(study), path)
    return database(path, name)


def trials_of(study):
    return {t["number"]: t for t in read_object(study / "trials.json")["trials"]}
