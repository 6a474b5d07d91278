"""What the trials under way have reached, as a file: for who watches a study from elsewhere."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lttune.config.fields import is_int, is_number
from lttune.store.plain_json import read_json
from lttune.store.temporary import temporary_beside

PROGRESS = "progress.json"
"""File of a study that runs with what the trials under way have reached."""
LAST_LEVEL = ("density", "val_accuracy", "test_accuracy")
"""Numbers of a trial's last level, beside the ``level`` itself."""
NOTED_EACH_S = 1.0
"""Seconds between two writings: levels of a small study come faster than anybody reads."""

Reports = Mapping[int, Mapping[str, Any]]
"""Number of a trial -> ``level`` and ``LAST_LEVEL`` of its last level."""


class ReachedNote:
    """The file of one run of a study; nothing depends on it, so what cannot be written is not.

    It is neither flushed nor sealed: after a crash it says nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._at = folder / PROGRESS, -math.inf

    def write(self, reports: Reports, left: Callable[[], float | None]) -> None:
        """Writes what each trial has reached, and the seconds that ``left`` says, if it is time."""
        if time.monotonic() - self._at < NOTED_EACH_S:
            return
        self._at = time.monotonic()
        kept = {n: {k: one.get(k) for k in ("level", *LAST_LEVEL)} for n, one in reports.items()}
        draft = temporary_beside(self._path)
        with contextlib.suppress(OSError):
            try:
                draft.write_text(json.dumps({"left_s": left(), "trials": kept}))
                draft.replace(self._path)
            finally:  # On a full disk there would be one more each time.
                draft.unlink(missing_ok=True)

    def remove(self) -> None:
        """Removes the file: nothing is under way."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def read_reached(folder: Path) -> tuple[dict[int, Mapping[str, Any]], float | None]:
    """Returns what the trials under way have reached, and the seconds that are left.

    Whatever is none of that, in a file that may be a stranger's, is left out.
    """
    try:
        found = read_json(folder / PROGRESS)
        trials = {int(n): one for n, one in found["trials"].items() if _is_report(one)}
        left = found["left_s"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}, None
    return trials, left if is_number(left) and left >= 0 else None


def _is_report(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and is_int(one.get("level"))
        and all(is_number(one.get(name)) for name in LAST_LEVEL)
    )
