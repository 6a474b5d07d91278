"""The settings of another study (``--from``): values of its ``study.json`` and nothing else.

The file is a stranger's: every value goes through the rules that a flag's goes through, and what
would run code, or say where and as whom this study runs, is not taken.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lttune.config import LotteryConfig, differences, flatten, from_dict
from lttune.config.lottery.model import is_of_torchvision, is_own_network
from lttune.config.own import is_own_code
from lttune.errors import ConfigError, DamagedError, RefusedError, legible, listed
from lttune.records.folder import read_sheet
from lttune.records.objectives import ObjectiveConfig
from lttune.records.own import OBJECTIVE
from lttune.study.settings import StudyConfig

T = TypeVar("T")

OWN = (
    *("name", "scale", "out", "tracking_uri", "address", "max_concurrent", "device", "engine"),
    *("store", "plan", "max_time", "from_study", "shard", "sweep_replicates"),
)
"""Settings that are not taken: what a study is called, and how, where and for how long it runs."""
LISTS = ("phases", "controls", "control_densities", "search_over")


@dataclass(frozen=True, kw_only=True)
class TakenSettings:
    """What is taken of another study."""

    folder: Path
    name: str
    """Of the other study."""
    scale: str
    config: StudyConfig
    """This study's settings with those of the other one in place of them."""
    default: StudyConfig
    """This study's settings without."""

    @property
    def line(self) -> str:
        """What a person reads of it."""
        changed = differences(_flat(self.default), _flat(self.config))
        texts = [f"{name} {before!r} -> {now!r}" for name, (before, now) in changed.items()]
        what = listed(texts) if texts else "none is another one"
        return legible(
            f"settings of {self.folder} ({self.name}, scale {self.scale}) instead of those of "
            f"scale {self.default.scale} here: {what}"
        )


def taken_settings(
    folder: Path, default: StudyConfig, given: Collection[str] = ()
) -> TakenSettings:
    """Returns the settings of another study, for a new one.

    Args:
        folder: of the other study.
        default: the settings of the new one without it.
        given: dotted paths of the settings that the new one says itself, such as "lottery.levels".

    Raises:
        StorageError: if the folder holds no study, or its sheet no such settings.
        RefusedError: if a newer lttune wrote it.
        ConfigError: if one of its settings names code of the other study's.
    """
    path = folder / "study.json"
    sheet = read_sheet(folder, ("name", "scale", "config", "lottery"))
    values = {name: value for name, value in sheet["config"].items() if name not in OWN}
    known = {field.name for field in dataclasses.fields(StudyConfig)} - {"lottery"}
    if more := sorted(values.keys() - known):
        raise RefusedError(
            f"{path} was written by a newer lttune: its settings have {legible(listed(more))}; use "
            "that version or a later one"
        )
    lottery = _read(path, lambda: from_dict(sheet["lottery"]))
    objective = _read(path, lambda: ObjectiveConfig(**values.get("objective", {})))
    theirs, ours = _named(lottery, objective), _named(default.lottery, default.objective)
    codes = {
        name: value
        for name, value in theirs.items()
        if _is_code(name, value) and value != ours.get(name)
    }
    controls = values.get("controls", ())
    mine = default.controls
    own = [name for name in controls if is_own_code(name)] if isinstance(controls, list) else []
    if unlike := [name for name in own if name not in mine]:
        codes["controls"] = unlike
    _require_said(path, codes, given)
    # The flag's value follows: until then it is this study's own.
    if OBJECTIVE in codes:
        direction = default.objective.direction
        objective = dataclasses.replace(objective, name=ours[OBJECTIVE], direction=direction)
        del codes[OBJECTIVE]
    if codes.pop("controls", None):
        values["controls"] = list(mine)
    plain = {name.removeprefix("lottery."): ours[name] for name in codes}
    lottery = _read(path, lambda: lottery.override(plain))
    values["objective"] = objective
    return TakenSettings(
        folder=folder,
        name=sheet["name"],
        scale=sheet["scale"],
        config=_read(path, lambda: _settings(values, lottery, default)),
        default=default,
    )


def _named(lottery: LotteryConfig, objective: ObjectiveConfig) -> dict[str, Any]:
    """Returns the settings that may be code, among others, by their dotted paths."""
    return {**flatten(lottery.nested(), "lottery."), OBJECTIVE: objective.name}


def _require_said(path: Path, codes: Mapping[str, object], given: Collection[str]) -> None:
    """Raises ``ConfigError`` if a setting that is code is not said by the new study itself."""
    if unsaid := sorted(codes.keys() - given):
        lines = [
            f"{path}: its {name.removeprefix('lottery.')} {_words(codes[name])} is code, which no "
            f"command takes from the folder of a study: give --{name.replace('_', '-')}"
            for name in unsaid
        ]
        raise ConfigError("\n".join(lines))


def _is_code(name: str, value: object) -> bool:
    """Returns whether a setting names code that would be run; torchvision's is installed here."""
    if name == "lottery.model.name" and isinstance(value, str):
        return is_own_network(value) and not is_of_torchvision(value)
    return any(map(is_own_code, value)) if isinstance(value, list) else is_own_code(value)


def _words(value: Any) -> str:
    return legible(" ".join(value) if isinstance(value, list) else str(value))


def _settings(
    values: Mapping[str, Any], lottery: LotteryConfig, default: StudyConfig
) -> StudyConfig:
    taken = dict(values)
    for name in LISTS:
        if name in taken:
            if not isinstance(taken[name], list):
                raise TypeError(f"{name} must be a list")
            taken[name] = tuple(taken[name])
    # What an older version did not know yet had its default.
    plain = StudyConfig(name=default.name)
    kept = {name: getattr(default, name) for name in OWN}
    return dataclasses.replace(plain, **{**kept, **taken, "lottery": lottery})


def _read(path: Path, make: Callable[[], T]) -> T:
    """Returns what is made of a sheet's values.

    Raises:
        DamagedError: if they break a rule, or are of other types than settings have.
    """
    try:
        return make()
    except ConfigError as error:
        raise DamagedError(f"{path} has settings that are none: {error}") from error
    except (TypeError, AttributeError, ValueError, KeyError) as error:
        raise DamagedError(f"{path} has settings of other types than lttune writes") from error


def _flat(config: StudyConfig) -> dict[str, Any]:
    plain = {name: value for name, value in config.plain().items() if name not in OWN}
    return {**flatten(plain), **flatten(config.lottery.nested(), "lottery.")}
