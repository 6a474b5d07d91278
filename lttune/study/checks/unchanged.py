"""Whether a finished study is as a run left it: then the same command has nothing to do.

What is needed to go on with a study takes seconds to import and to read. Beside a study that is
complete lies a digest of all that could give another run something to do; where one of it is
another, or cannot be told, the run looks for itself.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lttune.config import digest
from lttune.config.lottery.data import is_path
from lttune.config.own import is_own_code
from lttune.errors import LttuneError
from lttune.records import provenance
from lttune.store.files import read_whole
from lttune.store.plain_json import read_json, write_json
from lttune.study.declared import Study, describe_space
from lttune.study.settings import StudyConfig
from lttune.study.tracking.held import held
from lttune.study.tracking.uri import resolve, sqlite_path

STATE_NOTE = "unchanged.json"
"""The file in a study's folder."""
READ_OR_WRITTEN = (
    *("study.json", "trials.json", "trials.journal"),
    *("records.parquet", "records.journal", "layers.parquet", "layers.journal"),
    *("curves.parquet", "claims.lock.json", "claims.yaml", "importance.json"),
    *("answer.txt", "report.html", "report.json"),
)
"""Files of a study that a run reads or writes, beside its figures and the study file's copy."""


def note_state(config: StudyConfig, study: Study, tracking: str) -> None:
    """Notes how a study was left that is complete, and that MLflow has all of.

    Args:
        config: the settings of the run.
        study: what its file declares.
        tracking: MLflow's address for people.
    """
    with contextlib.suppress(OSError, LttuneError):  # Then the next run looks for itself.
        if state := state_of(config, study):
            write_json(config.folder / STATE_NOTE, {"state": state, "tracking": tracking})


def left(config: StudyConfig, study: Study) -> str | None:
    """Returns MLflow's address, if all is as the last run left it; None if that cannot be told."""
    try:
        noted = read_json(config.folder / STATE_NOTE)
        state = state_of(config, study)
        return str(noted["tracking"]) if state and noted["state"] == state else None
    except (OSError, ValueError, LookupError, TypeError, LttuneError):
        return None


def state_of(config: StudyConfig, study: Study) -> str:
    """Returns the SHA-256 of what decides whether a run has anything to do.

    Empty if that cannot be told without looking further: of what others keep, as a cluster, a
    server of MLflow's or code and pictures of one's own, of a shard, and of a plan.

    Raises:
        OSError: if a file cannot be read.
        LttuneError: if the settings do not fit.
    """
    address = resolve(config.tracking_uri)
    database = sqlite_path(address)
    points = study.points_of(config)
    known = {
        "settings": config.plain(),
        "lottery": config.lottery.nested(),
        "space": describe_space(study.space),
        "points": {phase: [repr(point) for point in own] for phase, own in points.items()},
    }
    is_plain = config.has_own_ray and config.device == "cpu"
    if database is None or config.plan or config.shard is not None or not is_plain:
        return ""
    hparams = [point.hparams for own in points.values() for point in own]
    if any(is_own_code(text) or is_path(text) for text in _texts([known, hparams])):
        return ""
    kept = held(database, config.name)
    files = {path.name: _sha(path) for path in _files(config.folder, study)}
    return kept and digest(
        {
            **known,
            "declared": [study.question, study.source, list(study.scales), study.compared],
            "factors": [factor.plain() for factor in study.factors],
            "file": study.file and _sha(study.file),
            "script": study.script,
            "code": provenance.sources(),
            "packages": {**provenance.packages(), "numba": _version("numba")},
            "machine": provenance.machine(),
            "address": address,
            "held": kept,
            "files": files,
        }
    )


def _files(folder: Path, study: Study) -> list[Path]:
    """Returns the files of a study that a run reads or writes, there or not."""
    copies = [study.file.name] if study.file else []
    figures = sorted(path for path in folder.glob("figures/*") if path.is_file())
    return [*(folder / name for name in (*READ_OR_WRITTEN, *copies)), *figures]


def _texts(values: object) -> Iterator[str]:
    """Yields the texts among plain values but for where results lie, and keys."""
    if isinstance(values, str):
        yield values
    elif isinstance(values, Mapping):
        places = ("out", "store", "tracking_uri", "from_study", "points")
        for name, value in values.items():
            yield from () if name in places else _texts(value)
    elif isinstance(values, Sequence):
        for value in values:
            yield from _texts(value)


def _sha(path: Path) -> str | None:
    """Returns the SHA-256 of a file, None if there is none."""
    try:
        return hashlib.sha256(read_whole(path)).hexdigest()
    except FileNotFoundError:
        return None


def _version(package: str) -> str | None:
    """Returns the version of a package, None if it is not installed."""
    with contextlib.suppress(PackageNotFoundError):
        return version(package)
    return None
