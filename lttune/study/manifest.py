"""The sheet of a study, ``study.json``: what was asked, of which code, data and machine."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lttune.config import LotteryConfig, differences, digest, flatten
from lttune.config.design.factors import with_inert
from lttune.config.fields import WRITABLE, unwritable
from lttune.config.lottery.data import DataConfig
from lttune.config.passwords import masked, masked_command, masked_uri
from lttune.config.rules import every_rule
from lttune.data import Dataset
from lttune.data.dataset import validation_size
from lttune.data.made import PICTURES
from lttune.data.transforms import shape_and_classes
from lttune.errors import LttuneError, RefusedError
from lttune.models.own import NETWORK, descriptions
from lttune.records import provenance
from lttune.records.folder import PARTS, computed_from, read_sheet
from lttune.records.own import OwnCode
from lttune.store import store
from lttune.store.files import write_atomically
from lttune.store.sealed import write_object
from lttune.study.declared import Study, describe_space
from lttune.study.settings import FREE, StudyConfig

RUN = ("command", "created", "code", "packages", "machine", "numerics")
"""What a sheet says of one run of a study."""

IDENTITY = (
    *("config.name", "lottery", "space", "dataset.digest", *RUN),
    *("code.version", "code.commit", "code.dirty"),
)
"""What a sheet must say for its study to be continued."""


def sheet(
    config: StudyConfig,
    study: Study,
    dataset: Dataset,
    numerics: str,
    own: Sequence[OwnCode] = (),
    arguments: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Returns the values of ``study.json`` for a first run.

    Args:
        config: the settings.
        study: what the study file declares.
        dataset: the base configuration's.
        numerics: the engine's.
        own: the code of the parts of one's own that the study can come to, which are described so
            that who reads the study need not run it.
        arguments: flags of the command that runs the study; None is the command line's. Of a call
            that no flags can say there are none.
    """
    words = sys.argv[1:] if arguments is None else arguments
    has_command = study.file is not None and (arguments is None or len(arguments) > 0)
    networks = [code.name for code in own if code.field == NETWORK]
    others = [
        {"field": code.field, "name": code.name, "source": code.digest}
        for code in own
        if code.field != NETWORK
    ]
    validation = validation_size(dataset, config.lottery.data.validation)
    return {
        "name": config.name,
        "question": study.question,
        "source": study.source,
        "scale": config.scale,
        "scales": list(study.scales),
        "command": masked_command(["python", study.script, *words]) if has_command else "",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "numerics": numerics,
        "store_schema": store.SCHEMA,
        "config": {**config.plain(), "tracking_uri": masked_uri(config.tracking_uri or "") or None},
        "lottery": config.lottery.nested(),
        "space": describe_space(study.space),
        "compared": study.compared,
        "factors": [f.plain() for f in with_inert(study.factors)] if study.factors else [],
        "objective": {
            "name": config.objective.name,
            "text": config.objective.text,
            "direction": config.objective.directions[0],
            "texts": list(config.objective.texts),
            "directions": list(config.objective.directions),
        },
        "controls": list(config.controls),
        "code": provenance.code(),
        "packages": provenance.packages(),
        "machine": provenance.machine(),
        "dataset": {
            "name": dataset.name,
            "digest": dataset.digest(),
            "source": dataset.source,
            "train": len(dataset.train_y) - validation,
            "validation": validation,
            "test": len(dataset.test_y),
            **form(dataset, config.lottery.data),
        },
        **({"networks": descriptions(networks)} if networks else {}),
        **({"own": others} if others else {}),
    }


def require_texts(sheet: Mapping[str, Any]) -> None:
    """Raises ``ConfigError`` if a text of a sheet cannot be written and read again."""
    with every_rule() as rules:
        for path, value in unwritable(sheet, ""):
            rules.require(False, path, WRITABLE, value)


def form(dataset: Dataset, data: DataConfig) -> dict[str, Any]:
    """Returns what a sheet says of a dataset's form, which sheets of older versions do not have.

    It is the shape of a picture as it was loaded, and the number of classes that are told apart.
    """
    return {"shape": list(dataset.shape), "classes": shape_and_classes(dataset, data)[1]}


DEFAULTS = {
    path: value
    for path, value in flatten(LotteryConfig().nested()).items()
    if not path.startswith("prune.fractions")
}
"""Field of a trajectory -> its default, but for layers' own fractions, which every sheet says."""


SOURCE = "source of "
"""How ``fixed`` begins the name of a digest of code."""


def fixed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of a sheet that a study must share with itself to be continued.

    A setting that an older sheet does not know counts at its default, which changes nothing.
    """
    plain = StudyConfig(name=values["config"]["name"]).plain()
    known = plain | values["config"]
    known["objective"] = plain["objective"] | (known["objective"] or {})
    settings = {name: value for name, value in known.items() if name not in FREE}
    return {
        **flatten(settings),
        **{f"lottery.{path}": value for path, value in DEFAULTS.items()},
        **flatten(values["lottery"], "lottery."),
        **{f"space.{path}": described for path, described in values["space"].items()},
        **{
            f"{SOURCE}{one['name']}": one["source"]
            for part in ("networks", "own")
            for one in values.get(part, [])
            # The pictures of the base configuration are told by their digest.
            if (one.get("field"), one["name"]) != (PICTURES, values["lottery"]["data"]["name"])
        },
        "dataset": values["dataset"]["digest"],
        "numerics": values["numerics"],
        # Under another one, all that is trained again would differ from what is in the tables.
        "store_schema": values.get("store_schema", 1),
    }


def continued(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the sheet of a study that is run (again): its origin stays, the run is added.

    Settings that may grow are the new ones; who made the first numbers, and how, never changes.
    Nor does ``study_id``, by which the other files of a study know that they belong to it. Parts of
    one's own that only earlier runs came to stay described, for who reads what they trained.
    """
    if old is None:
        return {**new, "study_id": digest(new), "runs": [_run(new)]}
    origin = {name: old[name] for name in (*RUN, "study_id") if name in old}
    # An older version showed of a command what this one hides.
    origin["command"] = masked(old["command"])
    # A sheet of an older version lists no runs: it is of the first.
    before = old.get("runs") or [_run(old)]
    before = [run | {"command": masked(str(run.get("command", "")))} for run in before]
    parts = {name: _with_earlier(old, new, name) for name in ("networks", "own")}
    described = {name: found for name, found in parts.items() if found}
    return {**new, **origin, **described, "runs": [*before, _run(new)]}


def _without_repeat(sheet: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a sheet without its last run if that is as the one before."""
    *before, last = sheet["runs"]
    alike = before and all(before[-1].get(name) == last[name] for name in _MADE_BY)
    return {**sheet, "runs": before if alike else sheet["runs"]}


_MADE_BY = ("code", "packages", "machine", "numerics")
"""Of a run, what numbers and a report are made by."""


def _with_earlier(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> list[Any]:
    """Returns the descriptions of a new sheet, and those of an old one that it lacks."""

    def whose(one: Mapping[str, Any]) -> tuple[Any, ...]:
        return one.get("field"), one["name"], one.get("shape"), one.get("classes")

    found = new.get(name, [])
    there = [whose(one) for one in found]
    return [*found, *(one for one in old.get(name, []) if whose(one) not in there)]


def _run(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a sheet says of the run that wrote it."""
    run = {name: values[name] for name in RUN}
    run["started"] = run.pop("created")
    return run


def earlier(folder: Path) -> dict[str, Any] | None:
    """Returns the sheet of the study in a folder, None if there is no study.

    Raises:
        StorageError: if it cannot be read, or cannot be continued.
        RefusedError: if a newer lttune wrote it, or other files of a study lack theirs.
    """
    if (folder / "study.json").exists():
        return read_sheet(folder, IDENTITY)
    if parts := [name for name in PARTS if (folder / name).exists()]:
        raise RefusedError(
            f"{folder} holds {', '.join(parts)} but no study.json, without which nobody knows how "
            "they were made: put it back, or move the folder away"
        )
    return None


def begun_with(folder: Path) -> str:
    """Returns the numerics that the study in a folder began with; "" where none can be read."""
    with contextlib.suppress(LttuneError):
        return str((earlier(folder) or {}).get("numerics", ""))
    return ""


def refuse_other(folder: Path, new: Mapping[str, Any]) -> None:
    """Checks that a study in ``folder``, if there is one, is the one of the new sheet.

    Raises:
        RefusedError: with every field that differs, or because a file is missing or newer.
        StorageError: if the old sheet cannot be read.
    """
    old = earlier(folder)
    if old is None:
        return
    with computed_from(folder / "study.json"):
        changed = fixed_differences(old, new)
    if changed:
        texts = [f"{name}: {before!r} -> {after!r}" for name, (before, after) in changed.items()]
        raise RefusedError(
            f"the study {folder} exists with another configuration ({'; '.join(texts)}); "
            "give another --name, or the old values"
        )


def fixed_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Returns field -> its two values, of those for which two sheets are not of one study."""
    before, after = fixed(old), fixed(new)
    changed = differences(before, after)
    # Phases may be others, and with them the code that a run comes to.
    for name in before.keys() ^ after.keys():
        if name.startswith(SOURCE):
            changed.pop(name, None)
    return changed


def refuse_others(sheets: Mapping[Path, Mapping[str, Any]]) -> None:
    """Does what ``refuse_other`` does in each of some folders, for the sheet that must fit there.

    Raises:
        LttuneError: as that does.
    """
    for folder, sheet in sheets.items():
        refuse_other(folder, sheet)


def filed(folder: Path, sheet: Mapping[str, Any], study: Study, *, is_over: bool) -> dict[str, Any]:
    """Writes a study's sheet, and a copy of the file that declares it; returns what was written.

    Args:
        folder: the study's.
        sheet: as ``continued`` returns it.
        study: what its file declares.
        is_over: whether nothing is to be trained: a run that is as the one before is then none.

    Raises:
        StorageError: if one of them cannot be written.
    """
    found = _without_repeat(sheet) if is_over else dict(sheet)
    write_object(folder / "study.json", found)
    if study.file is not None:
        with write_atomically(folder / study.file.name) as copy:
            shutil.copyfile(study.file, copy)
    return found
