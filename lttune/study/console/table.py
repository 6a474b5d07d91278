"""The trials that run now, with the settings that they vary as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from lttune.config.fields import settings_text, short_names, value_text
from lttune.errors import legible
from lttune.records.ledger import Trial

LEVEL = ("level", "density", "val accuracy", "test accuracy")
"""Columns of a trial's last level."""

_WIDEST = 10
"""Characters that a setting's column may take before all settings share one."""


def running_table(
    trials: Sequence[Trial],
    reports: Mapping[int, Mapping[str, Any]],
    base: Mapping[str, Any],
    width: int,
) -> Table:
    """Returns a row for each trial: its settings, and what its last level reached.

    Args:
        trials: those that run.
        reports: number of a trial -> ``level``, ``density``, ``val_accuracy`` and
            ``test_accuracy`` of its last level; a trial without one trains its dense network.
        base: dotted path -> value that a trial has which does not vary it.
        width: characters of the screen. Where the settings do not fit beside each other, they are
            one column of text.
    """
    paths = list(dict.fromkeys(path for trial in trials for path in trial.hparams))
    names = short_names(paths)
    table = Table(box=None, padding=(0, 2, 0, 0))
    taken = 18 + sum(len(name) + 2 for name in LEVEL)
    apart = taken + sum(max(len(name), _WIDEST) + 2 for name in names.values()) <= width
    table.add_column("trial", no_wrap=True)
    for name in names.values() if apart else ["settings"]:
        table.add_column(_plain(name), justify="right" if apart else "left", overflow="fold")
    for name in LEVEL:
        table.add_column(name, justify="right")
    for trial in trials:
        settings = [settings_text(trial.hparams)]
        if apart:
            values = {**base, **trial.hparams}
            settings = [value_text(values.get(path, "-")) for path in paths]
        cells = [f"{trial.number:03d} {trial.phase}", *settings, *_level(reports.get(trial.number))]
        table.add_row(*map(_plain, cells))
    return table


def _plain(text: str) -> Text:
    """Returns text as it is: neither rich's markup nor a terminal's controls."""
    return Text(legible(text))


def _level(report: Mapping[str, Any] | None) -> list[str]:
    if not report or "density" not in report:
        return ["training dense", "", "", ""]
    accuracies = [f"{report[name]:.2%}" for name in ("val_accuracy", "test_accuracy")]
    return [str(report["level"]), f"{report['density']:.1%}", *accuracies]
