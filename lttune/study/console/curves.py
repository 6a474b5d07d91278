"""The learning curves of a study at its end: gathered, and told where some are lacking."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
from rich.console import Console

from lttune.errors import LttuneError
from lttune.records.tables.curves import CURVES_FILE, gather_curves
from lttune.store.remote.records import record_reader
from lttune.study.console.printing import say_on
from lttune.study.settings import StudyConfig

_LOG = logging.getLogger(__name__)


def add_curves(
    config: StudyConfig,
    sheet: Mapping[str, Any],
    is_interrupted: Callable[[], bool],
    console: Console,
) -> None:
    """Adds the curves of the networks that a study has trained, and tells what keeps it from that.

    They are in the store, so that a study without them is whole: nothing is raised.

    Args:
        config: the settings.
        sheet: the values of ``study.json``.
        is_interrupted: whether the run was ended, which does not wait for them then.
        console: where it is told.
    """
    if is_interrupted():
        return
    read = record_reader(config.cells)

    def record_of(cell: str) -> Mapping[str, Any] | None:
        if is_interrupted():
            raise LttuneError("the run was ended meanwhile")
        return read(cell)

    _LOG.info("gathering the learning curves")
    again = f"`lttune export {config.folder} --curves` adds them"
    try:
        found = gather_curves(config.folder, sheet.get("study_id"), record_of)
    except (LttuneError, pa.ArrowException) as error:
        say_on(console, f"{CURVES_FILE} has no new curves: {error}; {again}")
        return
    if found.aside:
        say_on(console, f"{CURVES_FILE} was damaged: it is made anew, and kept as {found.aside}")
    if found.lacking:
        text = f"lacks the curves of {found.lacking:,} networks, which the store does not have"
        say_on(console, f"{CURVES_FILE} {text}")
