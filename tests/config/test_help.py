"""Help is wrapped once, to the width of the terminal."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

import pytest
import tyro

from lttune.config.command_line import parsed
from lttune.config.output.help import help_text

DOC = """Does a question that is longer than a narrow terminal is wide have an answer in it?

    Source: Somebody et al. (2019), whose words go on here. Three phases, each
    of its own use:

      anchor   the base configuration, with controls that are told over two lines
               here: is there any?
      sweep    one at a time

    Cost: a minute. --plan says it for this machine; more
    words follow
    to the end.

        python studies/own.py --scale quick --name my-own-study --lottery.train.lr 0.002
        lttune report results/my-own-study
    """


@dataclass(frozen=True)
class Asked:
    """What is asked of nobody."""

    ahead: int = 3
    """How many of the last trials a proposal does not know of: one trial more runs at
    once at the most, and the proposals are the same on any number of cores (1 to
    0.25 of them); 'all' is
    every core."""


@pytest.mark.parametrize("width", [50, 80, 200])
def test_a_description_is_as_wide_as_the_terminal(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = help_text(DOC).splitlines()
    kept = [line for line in lines if line.startswith("    ") and line[4] != " "]
    assert kept == [
        "    python studies/own.py --scale quick --name my-own-study --lottery.train.lr 0.002",
        "    lttune report results/my-own-study",
    ]
    assert all(len(line) <= width for line in lines if line not in kept)
    assert " ".join(" ".join(lines).split()) == " ".join(DOC.split())
    # What follows a name in a list stands below itself.
    (first,) = [place for place, line in enumerate(lines) if line.startswith("  anchor")]
    if not lines[first + 1].startswith("  sweep"):
        assert re.match(r" {11}\S", lines[first + 1])


def test_paragraphs_are_filled(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    lines = help_text(DOC).splitlines()
    assert "Cost: a minute. --plan says it for this machine; more words follow to the end." in lines
    assert (
        "  anchor   the base configuration, with controls that are told over two lines here"
        in (lines[3].partition(":")[0])
    )


@pytest.mark.parametrize("width", [60, 80])
def test_help_as_it_is_printed_has_every_text_wrapped_once(monkeypatch, capsys, width):
    monkeypatch.setenv("COLUMNS", str(width))
    with pytest.raises(SystemExit) as ended:
        parsed(
            lambda words: tyro.cli(Asked, prog="x", description=help_text(DOC), args=words),
            ["--help"],
            "x",
        )
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    long = [line for line in lines if len(line) > width and "python studies/own.py" not in line]
    assert long == []
    # The box has no sides where an output is no terminal.
    texts = [line.strip("│ ") for line in lines]
    start = next(n for n, text in enumerate(texts) if "How many" in text)
    told = [f"How many{texts[start].partition('How many')[2]}", *texts[start + 1 : -1]]
    assert " ".join(told).startswith(" ".join(TOLD.split()))
    # Every line but the last has no room for the next one's first word.
    room = max(map(len, told))
    for line, after in itertools.pairwise(told):
        assert len(line) + 1 + len(after.split()[0]) > room


TOLD = """How many of the last trials a proposal does not know of: one trial more runs at once at
the most, and the proposals are the same on any number of cores (1 to 0.25 of them); 'all' is every
core. (default: 3)"""
