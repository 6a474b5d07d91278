"""What the console of a study prints and draws: texts are shown as they are, none is obeyed."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import pytest
from control_sequences import SEQUENCE, WRITTEN_OUT, control_characters
from rich.table import Table

from lttune.config.output.escaped import escaped_output
from lttune.config.output.unneeded import unneeded_output
from lttune.records.ledger import Ledger
from lttune.study.console.outcome import Outcome, show, show_absence
from lttune.study.console.printing import PrintingConsole
from lttune.study.console.progress import Progress
from lttune.study.settings import StudyConfig

FORGED = f"{SEQUENCE}\nlttune: error: forged"
SAID = f"{WRITTEN_OUT}\\nlttune: error: forged"
MARKED = "[b]x[/b] [/y] :bomb:"


def console(terminal: bool = False) -> tuple[PrintingConsole, io.StringIO]:
    file = io.StringIO()
    style = {"force_terminal": terminal, "color_system": None, "width": 250}
    return PrintingConsole(file=file, **style), file


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    """A trial that is complete and one that failed, whose texts others wrote."""
    book = Ledger(path=tmp_path / "trials.json", planned={"search": 2}, wall_s=1)
    done = book.add("search", f"lr=1{FORGED}", {f"train.{FORGED}": MARKED}, [0], [])
    done.state, done.objective, done.values, done.seconds = "complete", 0.5, [0.5], 1
    lost = book.add("search", f"lr=2{FORGED}", {}, [0], [])
    lost.state, lost.error = "failed", f"ValueError: {FORGED}"
    return book


def test_a_string_is_neither_markup_nor_an_emoji_wherever_it_stands():
    shown, file = console()
    table = Table(title=MARKED)
    table.add_column(MARKED)
    table.add_row(MARKED)
    shown.print(MARKED)
    shown.print(table)
    assert file.getvalue().count(MARKED) == 4


def test_a_control_sequence_is_shown_wherever_it_stands():
    shown, file = console(terminal=True)
    table = Table(title=SEQUENCE)
    table.add_column(SEQUENCE)
    table.add_row(SEQUENCE)
    shown.print(SEQUENCE)
    shown.print(table)
    assert control_characters(file.getvalue()) == set()
    assert file.getvalue().count(r"\x1b]0;") == 4


def test_a_finished_trial_is_one_line(ledger):
    shown, file = console()
    with Progress(ledger, {"search": 1}, shown) as progress:
        for trial in ledger.trials:
            progress.ended(trial)
    assert control_characters(file.getvalue()) == set()
    assert file.getvalue().count("\n") == 2
    assert f"(lr=1{SAID}): complete" in file.getvalue()
    assert f"(lr=2{SAID}): failed  ValueError: {SAID}" in file.getvalue()


def test_the_end_of_a_run_says_what_others_wrote_and_obeys_none_of_it(ledger):
    shown, file = console()
    config = StudyConfig(name="x", tracking_uri="sqlite:///m.db")
    texts = {"tracking": f"sqlite:///m.db{FORGED}", "not_tracked": FORGED, "left_out": FORGED}
    end = Outcome(exit_code=1, report=Path(f"{MARKED}/{FORGED}"), **texts)
    rows = [
        {"trial": 0, "branch": "trunk", "replicate": 0, "diverged": False, "density": density}
        | {"val_accuracy": 0.9, "test_accuracy": 0.9}
        for density in (1.0, 0.1)
    ]
    show(end, ledger, lambda trial: rows if trial.number == 0 else [], config, 10, shown)
    text = file.getvalue()
    assert control_characters(text) == set()
    assert f"\nreport: {MARKED}/{SAID}\n" in text
    assert f"\nnot in MLflow: {SAID} `lttune sync" in text
    assert f"(lr=2{SAID}): ValueError: {SAID} (" in text
    assert f"\n{SAID}\n" in text
    assert f"{SAID}={MARKED} " in text
    assert "\nlttune: error" not in text


def test_what_a_server_answers_is_one_line():
    shown, file = console()
    show_absence("http://x", FORGED, StudyConfig(name="x", tracking_uri="http://x"), shown)
    assert file.getvalue().startswith(f"MLflow cannot be used at http://x ({SAID}); the study")
    assert file.getvalue().count("\n") == 1


def test_what_others_print_while_a_display_is_drawn_is_shown_too(ledger):
    shown, file = console(terminal=True)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), escaped_output():
        with Progress(ledger, {"search": 1}, shown):
            print(f"printed \x1b[31m{SEQUENCE}\x1b]8;;http://x\x1b\\")
            print(f"told {SEQUENCE}", file=sys.stderr)
        assert out.getvalue() == ""
    text = file.getvalue()
    assert f"printed \\x1b[31m{WRITTEN_OUT}\\x1b]8;;http://x\\x1b\\" in text
    assert f"told {WRITTEN_OUT}" in text
    assert SEQUENCE not in text
    assert "\x1b[?25l" in text  # The display hides the cursor: what it draws is drawn.


def test_without_a_file_it_draws_on_the_stream_behind(monkeypatch):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), escaped_output():
        assert PrintingConsole().file is out
    monkeypatch.setattr(sys, "stdout", None)
    PrintingConsole().print("nobody sees it")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("name", ["dumb", "unknown"])
def test_a_terminal_that_cannot_move_its_cursor_gets_lines(name, ledger, monkeypatch):
    monkeypatch.setenv("TERM", name)
    shown = PrintingConsole(file=Terminal())
    assert not shown.is_terminal  # Which ``lttune watch`` asks, too.
    with Progress(ledger, {"search": 1}, shown) as progress:
        for trial in ledger.trials:
            progress.ended(trial)
    assert shown.file.getvalue().count("search") == 2


def test_a_study_of_a_command_draws_on_its_terminal(ledger, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    with contextlib.redirect_stdout(screen), unneeded_output(), escaped_output():
        with Progress(ledger, {"search": 1}, PrintingConsole()):
            print(f"printed {SEQUENCE}")
        print(f"after {SEQUENCE}")
    text = screen.getvalue()
    assert f"printed {WRITTEN_OUT}" in text
    assert text.endswith(f"after {WRITTEN_OUT}\n")
    assert "\x1b[?25l" in text
    assert SEQUENCE not in text


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"])
def test_no_variable_makes_a_terminal_of_a_pipe(name, ledger, monkeypatch):
    monkeypatch.setenv(name, "1")
    file = io.StringIO()
    with Progress(ledger, {"search": 1}, PrintingConsole(file=file)) as shown:
        shown.ended(ledger.trials[0])
    assert "\x1b" not in file.getvalue()
    assert file.getvalue().count("\n") == 1
