"""The settings of another study, as its folder has them, and those of a command line."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

from digits_study import SMOKE, STUDY

from lttune.data import load
from lttune.store.sealed import read_object, write_object
from lttune.study.declared import Study
from lttune.study.main import _settings
from lttune.study.manifest import sheet
from lttune.study.settings import StudyConfig

OTHER = dataclasses.replace(
    SMOKE,
    name="other",
    scale="paper",
    out=Path("elsewhere"),
    trials=9,
    controls=("reinit",),
    control_densities=(0.5,),
    tracking_uri="http://me:secret@host",
    address="auto",
    max_concurrent=7,
    engine="torch",
    max_time="2h",
    seed=5,
    lottery=SMOKE.lottery.override({"train.lr": 0.02, "prune.fractions.fc1": 0.3}),
)


def stored(config: StudyConfig, **changes: Any) -> Path:
    """Writes the sheet of a study below the folder that is worked in; returns the study's."""
    folder = Path("results") / config.name
    folder.mkdir(parents=True)
    values = sheet(config, STUDY, load("digits"), "torch")
    write_object(folder / "study.json", {**values, "study_id": "x", **changes})
    return folder


def settings(*words: str, study: Study = STUDY) -> StudyConfig:
    """Returns what the flags of a command line make of a study's settings."""
    return _settings(list(words), study, "")


def damage(folder: Path, path: str, value: Any, whole: dict[str, Any] | None = None) -> None:
    """Sets a field of a sheet, by its dotted path; None is of the one in the folder."""
    values = copy.deepcopy(whole or read_object(folder / "study.json"))
    *groups, last = path.split(".")
    inside = values
    for group in groups:
        inside = inside[group]
    inside[last] = value
    write_object(folder / "study.json", values)
