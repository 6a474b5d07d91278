"""Whether the files of datasets are here and sound; nothing is fetched."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lttune.config import from_dict
from lttune.config.lottery.data import DATASET_SETTINGS, is_path
from lttune.config.own import is_own_code
from lttune.data import FETCHED, data_folder, load
from lttune.errors import AbsentError, DataError, LttuneError, StorageError
from lttune.exchange.health.inspection import Inspection
from lttune.records.ledger import Trial
from lttune.store.disk import existing

OTHER_FOLDER = "point LTTUNE_DATA at another folder"


def kept_findings() -> Iterator[Inspection]:
    """Yields what there is to say of the folder in which datasets are kept, and of each in it."""
    try:
        folder = data_folder()
    except StorageError as error:
        mend = OTHER_FOLDER
        yield Inspection(what="data", trouble=str(error), mend=mend, exit_code=error.exit_code)
        return
    absent = []
    for name in FETCHED:
        try:
            load(name, fetches=False)
        except AbsentError:
            absent.append(name)
        except LttuneError as error:
            yield _fault(f"data: {name}", error, _mend(name, error))
        else:
            yield Inspection(what=f"data: {name}")
    if absent:
        yield _room_for(folder, absent)


def _room_for(folder: Path, absent: list[str]) -> Inspection:
    """Returns whether datasets that are not here could be kept."""
    what = f"data: {folder} lacks {', '.join(absent)}, which a study fetches when it needs one"
    if os.access(existing(folder), os.W_OK):
        return Inspection(what=what)
    trouble = "what is fetched cannot be kept: the folder cannot be written to"
    code = StorageError.exit_code
    return Inspection(what=what, trouble=trouble, mend=OTHER_FOLDER, exit_code=code)


def needed_findings(sheet: Mapping[str, Any], trials: Iterable[Trial]) -> Iterator[Inspection]:
    """Yields what there is to say of the datasets of a study.

    Args:
        sheet: what ``study.json`` holds.
        trials: the study's.
    """
    try:
        names = _names(sheet, trials)
    except (LttuneError, KeyError, TypeError) as error:
        text = f"study.json does not say which: {error}"
        mend = "put a copy of study.json back"
        yield Inspection(what="data", trouble=text, mend=mend, exit_code=StorageError.exit_code)
        return
    noted = sheet.get("dataset", {})
    for name in names:
        what = f"data: {name}"
        try:
            found = load(name, fetches=False)
        except AbsentError as error:
            # A study that is run fetches it.
            yield Inspection(what=what, trouble=str(error), mend=_mend(name, error))
        except LttuneError as error:
            yield _fault(what, error, _mend(name, error))
        else:
            if name == noted.get("name") and found.digest() != noted.get("digest"):
                other = DataError("it is not what the study was run on")
                yield _fault(what, other, "put that back; with this the study cannot be continued")
            else:
                yield Inspection(what=what)


def _names(sheet: Mapping[str, Any], trials: Iterable[Trial]) -> list[str]:
    names: list[str | None] = [*from_dict(sheet["lottery"]).dataset_names]
    for path in DATASET_SETTINGS:
        names += [trial.hparams.get(path) for trial in trials]
    return list(dict.fromkeys(filter(None, names)))


def _mend(name: str, error: LttuneError) -> str:
    if is_path(name) or is_own_code(name):
        return "put it back as it was"
    if isinstance(error, AbsentError):
        return f"lttune data {name}"
    if isinstance(error, DataError):
        return f"delete that file, then `lttune data {name}` fetches it"
    return f"see that it can be read, or {OTHER_FOLDER}"


def _fault(what: str, error: LttuneError, mend: str) -> Inspection:
    return Inspection(what=what, trouble=str(error), mend=mend, exit_code=error.exit_code)
