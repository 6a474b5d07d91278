"""The live table: what a trial varies is a column, so that rows can be compared."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from lttune.records.ledger import Trial
from lttune.study.console.table import running_table

BASE = {"train.lr": 0.0012, "train.batch_size": 60, "prune.fractions.fc1": 0.2}
SEARCHED = {"train.lr": 0.000123456, "train.batch_size": 16}
REPORT = {"level": 3, "density": 0.512, "val_accuracy": 0.95, "test_accuracy": 0.9412}


def rows(trials: list[Trial], width: int = 120, **reports) -> list[str]:
    """Returns the lines of the table, its head first."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    found = {int(name[1:]): report for name, report in reports.items()}
    console.print(running_table(trials, found, BASE, width))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.fixture
def trials() -> list[Trial]:
    return [
        Trial(0, "anchor", "replicate=0", {}, [0], []),
        Trial(13, "search", "x", SEARCHED, [0], []),
    ]


def test_varied_settings_are_columns_and_who_varies_none_has_the_bases(trials):
    head, anchor, searched = rows(trials, t13=REPORT)
    heads = "trial lr batch_size level density val accuracy test accuracy"
    assert " ".join(head.split()) == heads
    assert anchor.split() == ["000", "anchor", "0.0012", "60", "training", "dense"]
    assert searched.split() == ["013", "search", "0.000123", "16", "3", "51.2%", "95.00%", "94.12%"]


def test_on_a_narrow_screen_settings_are_text(trials):
    lines = rows(trials, width=80, t13=REPORT)
    assert any("settings" in line for line in lines[:2])
    shown = " ".join(" ".join(lines).split())
    assert "lr=0.000123" in shown
    assert "batch_size=16" in shown
    assert "…" not in shown
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("width", [80, 64, 50])
def test_no_setting_is_broken_on_a_narrow_screen(trials, width):
    fractions = {"prune.fractions.conv1": 0.15, "prune.fractions.output": 0.1, **SEARCHED}
    trials.append(Trial(14, "confirmation", "x", fractions, [0], []))
    shown = rows(trials, width=width, t14=REPORT)
    words = {word for line in shown for word in line.split()}
    assert {"conv1=0.15", "output=0.1", "lr=0.000123", "batch_size=16", "94.12%"} <= words
    assert ("95.00%" in words) is (width == 80)
    assert max(map(len, shown)) <= width


def test_what_a_study_says_of_itself_draws_nothing(trials):
    trials[1].hparams["train.lr"] = "[bold]\x1b[2J"
    text = "\n".join(rows(trials, t13=REPORT))
    assert "[bold]\\x1b[2J" in text
    assert "\x1b[2J" not in text
