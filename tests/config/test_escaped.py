"""Nothing that a command prints moves a cursor, whoever prints it; what is drawn, is."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Callable

import pytest
from control_sequences import SEQUENCE, WRITTEN_OUT, control_characters

from lttune.__main__ import main
from lttune.config.command_line import exit_code_after
from lttune.config.output.escaped import coloured_output, drawable, escaped_output, say
from lttune.config.output.steps import steps_shown
from lttune.config.output.unneeded import unneeded_output
from lttune.errors import ConfigError


def shown_warning(message, category, filename, line, file=None, text=None) -> None:
    """Does as Python's own."""
    sys.stderr.write(warnings.formatwarning(message, category, filename, line, text))


def warned() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = shown_warning  # pytest's own keeps them.
        warnings.warn(SEQUENCE, stacklevel=1)


def logged() -> None:
    with steps_shown("lttune x", "at work"):
        logging.getLogger("lttune.some.module").warning("%s", SEQUENCE)


def logged_by_a_library() -> None:
    logger = logging.getLogger("another.library")
    handler = logging.StreamHandler()
    logger.addHandler(handler)
    logger.warning("%s", SEQUENCE)
    logger.removeHandler(handler)


def refused() -> None:
    raise ConfigError(f"name must be legible, got {SEQUENCE}")


WAYS: dict[str, Callable[[], object]] = {
    "print": lambda: print(SEQUENCE),
    "in lines": lambda: sys.stdout.writelines([SEQUENCE, "\n"]),
    "standard error": lambda: print(SEQUENCE, file=sys.stderr),
    "a warning": warned,
    "a log": logged,
    "a library's log": logged_by_a_library,
    "a mistake": refused,
}


def printed(run: Callable[[], object]) -> str:
    """Returns what a command prints on both streams."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        exit_code_after(lambda: run() and 0, [])
        assert (sys.stdout, sys.stderr) == (out, err)
    return out.getvalue() + err.getvalue()


@pytest.mark.parametrize("way", WAYS)
def test_a_control_sequence_is_shown(way):
    text = printed(WAYS[way])
    assert control_characters(text) == set()
    assert WRITTEN_OUT in text


def test_lines_and_tabs_and_letters_stay_as_they_are():
    text = "a\tb\nIA \u7814\u7a76 \U0001f3c3 \u2013\n"
    assert printed(lambda: print(text, end="")) == text


def test_a_bar_of_progress_is_a_line_each_time():
    bars = "\r 10%\r 20%\r\n"
    assert printed(lambda: print(bars, end="", file=sys.stderr)) == "\n 10%\n 20%\n"


def test_a_line_begins_no_other_one():
    text = printed(lambda: say("the study a\nlttune: error: b", "c"))
    assert text == "the study a\\nlttune: error: b\nc\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_only_who_asks_for_it_draws_on_a_terminal():
    screen = Terminal()
    with contextlib.redirect_stdout(screen), unneeded_output(), escaped_output(), escaped_output():
        assert not sys.stdout.isatty()
        print(SEQUENCE)
        with coloured_output():
            assert sys.stdout.isatty()
            print("\x1b[1mhelp\x1b[0m")
        assert drawable(sys.stdout).isatty()
        drawable(sys.stdout).write("\x1b[2K")
    assert screen.getvalue() == f"{WRITTEN_OUT}\n\x1b[1mhelp\x1b[0m\n\x1b[2K"
    assert drawable(screen) is screen


def test_help_has_its_colours_on_a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    with contextlib.redirect_stdout(screen), pytest.raises(SystemExit):
        main(["masks", "--help"])
    assert "\x1b[1m" in screen.getvalue()


def test_a_process_without_streams_prints_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert exit_code_after(lambda: print(SEQUENCE) or 0, []) == 0
