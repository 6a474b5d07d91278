"""What made a study: code, data, machine and packages, and what was other in its later runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from analysis.frame import StudyFrame
from analysis.report.formats import as_texts
from lttune.config import differences, flatten
from lttune.config.machine import DEFAULT_TRACKING_URI
from lttune.records.rules import require_bounded_table
from lttune.records.schema import OWN_MEASURES

COMPARED = ("code", "packages", "machine", "numerics")
"""What of a run is compared with the first one."""


def later_runs(study: StudyFrame) -> list[dict[str, Any]]:
    """Returns every run but the first: ``started``, ``command``, and as ``changes`` what differs.

    A change reads "packages.torch: 2.13.0 → 2.14.0", from the first run to this one. Studies of
    older versions list no runs and have none here.

    Raises:
        StorageError: if the changes would fill more memory than ``study.json`` may.
    """
    found = study.info.get("runs")
    runs = [run for run in found if isinstance(run, Mapping)] if isinstance(found, list) else []
    compared = [
        {f"{part}.{name}": True for part in COMPARED for name in _names(run.get(part))}
        for run in runs
    ]
    require_bounded_table(study.folder / "study.json", compared, words=("runs", "fields"))
    return [
        {
            "started": run.get("started"),
            "command": run.get("command"),
            "changes": _changes(runs[0], run),
        }
        for run in runs[1:]
    ]


def provenance(study: StudyFrame) -> dict[str, dict[str, str]]:
    """Returns what the first run was made with, under the headings of the page."""
    groups = {"Code": "code", "Dataset": "dataset", "Machine": "machine", "Packages": "packages"}
    return {title: as_texts(study.info.get(key) or {}) for title, key in groups.items()}


def mlflow_place(study: StudyFrame) -> dict[str, Any]:
    """Returns ``where`` the study is in MLflow, and whether that is for a command to look at.

    As the study's settings have it: of the default a relative path, so that equal studies have
    equal reports wherever they ran, and of a secret ***.
    """
    config = study.info.get("config")
    given = config.get("tracking_uri") if isinstance(config, Mapping) else None
    where = given if isinstance(given, str) and given else DEFAULT_TRACKING_URI
    is_command = "://" in where and not where.startswith("http")
    return {
        # Whoever wrote the study's sheet, a shell takes it for one word.
        "where": shlex.quote(where) if is_command else where,
        "is_command": is_command,
        "is_default": where != given,
    }


def own_measurements(study: StudyFrame) -> list[str]:
    """Returns the names of the study's measurements of one's own, in sorted order."""
    each, _ = OWN_MEASURES
    names = study.records.columns
    return sorted(name.removeprefix(each) for name in names if name.startswith(each))


def numerics(study: StudyFrame) -> list[str]:
    """Returns the distinct numerics that made the study's networks, in sorted order."""
    return sorted(set(study.records["numerics"].dropna()))


def _names(part: object) -> Iterable[str]:
    return flatten(part) if isinstance(part, Mapping) else ()


def _changes(first: Mapping[str, Any], run: Mapping[str, Any]) -> list[str]:
    changes: list[str] = []
    for part in COMPARED:
        if part not in first or part not in run:
            continue  # Nothing is known of one of them.
        changed = differences(flatten({part: first[part]}), flatten({part: run[part]}))
        changes += [
            f"{name}: {'–' if old is None else old} → {'–' if new is None else new}"
            for name, (old, new) in changed.items()
        ]
    return changes
