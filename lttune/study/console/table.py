"""What is shown of a study that runs: counts and times, and its trials with their settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from lttune.config.fields import settings_text, short_names, value_text
from lttune.config.lottery.length import joined_settings
from lttune.errors import legible
from lttune.records.ledger import ENDED, Ledger, Trial

LEVEL = ("level", "density", "val accuracy", "test accuracy")
"""Columns of a trial's last level."""

_WIDEST = 10
"""Characters that a setting's column may take before all settings share one."""
_NARROW = 8
"""Characters of a level's column then: "accuracy"."""
_GIVEN_UP = ("val accuracy", "density", "level")
"""Columns that make room, one after the other, where the words of the settings would be broken."""


def going_on(command: object) -> str:
    """Returns how a study is gone on with: its command, or its call from Python if it has none."""
    return f"`{command}`" if command else "the same call"


def clock(seconds: float) -> str:
    """Returns a duration as people say it: "45 s", "12 min", "3 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def head_text(
    ledger: Ledger, running: Sequence[Trial], so_far_s: float | None, left_s: float | None
) -> Text:
    """Returns phases, counts and times of a study that runs, in a line; what is None is unknown."""
    done, failed = ledger.count(*ENDED), ledger.count("failed")
    is_over = 0 < ledger.total <= done + failed
    nothing = "writing the report" if is_over else "starting Ray"
    phases = " and ".join(dict.fromkeys(trial.phase for trial in running)) or nothing
    return Text.assemble(
        (legible(phases), "bold"),
        f"   {done} of {ledger.total} trials done, {len(running)} running, "
        f"{max(ledger.total - done - failed - len(running), 0)} to come",
        (f", {failed} failed" if failed else "", "red"),
        "" if so_far_s is None else f"   {clock(so_far_s)} so far",
        "" if left_s is None else f", about {clock(left_s)} left",
    )


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
    shown = LEVEL if apart else _fitting(trials, width)
    for name in shown:
        table.add_column(name, justify="right", width=None if apart else _NARROW)
    for trial in trials:
        settings = [settings_text(trial.hparams)]
        if apart:
            values = joined_settings(base, trial.hparams)
            settings = [value_text(values.get(path, "-")) for path in paths]
        level = _level(reports.get(trial.number))
        cells = [_label(trial), *settings, *(level[LEVEL.index(name)] for name in shown)]
        table.add_row(*map(_plain, cells))
    return table


def _label(trial: Trial) -> str:
    return f"{trial.number:03d} {trial.phase}"


def _fitting(trials: Sequence[Trial], width: int) -> list[str]:
    """Returns the columns of a level beside which no word of the settings is broken."""
    labels = max((len(_label(trial)) for trial in trials), default=0)
    words = (word for trial in trials for word in settings_text(trial.hparams).split())
    room = width - labels - max(map(len, words), default=0) - 4
    shown = [*LEVEL]
    for name in _GIVEN_UP:
        if len(shown) * (_NARROW + 2) > room:
            shown.remove(name)
    return shown


def _plain(text: str) -> Text:
    """Returns text as it is: neither rich's markup nor a terminal's controls."""
    return Text(legible(text))


def _level(report: Mapping[str, Any] | None) -> list[str]:
    if not report or "density" not in report:
        return ["training dense", "", "", ""]
    accuracies = [f"{report[name]:.2%}" for name in ("val_accuracy", "test_accuracy")]
    return [str(report["level"]), f"{report['density']:.1%}", *accuracies]
