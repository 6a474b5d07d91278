"""Which flags were meant by those that there are not."""

from __future__ import annotations

import re
from collections.abc import Callable

from lttune.config.fields import SYNONYMS

UNKNOWN = "Unrecognized options: "
"""How tyro begins a line of flags that there are not."""

FLAG = re.compile(r"--[\w.-]*\w")


def parts_of(box: str) -> list[list[str]]:
    """Returns the rows of each part of one of tyro's boxes."""
    # The frame is of other characters, and without sides, where the output's encoding is ASCII.
    rows = [row.strip(" │|╭╮╰╯") for row in box.splitlines()[1:]]
    parts: list[list[str]] = [[]]
    for row in rows:
        if re.fullmatch("[─-]{8,}", row):
            parts.append([])
        elif row:
            parts[-1].append(row)
    return [part for part in parts if part] or [[box]]


def flags_meant(line: str, ask: Callable[[str], str]) -> str:
    """Returns what a line of unknown flags is to say of the flags that were meant.

    Args:
        line: as tyro has it, beginning with ``UNKNOWN``.
        ask: returns the box that tyro draws where a flag is among those of the command, and
            all unknown ones are not.
    """
    words = map(FLAG.match, line.removeprefix(UNKNOWN).split(", "))
    typed = dict.fromkeys(word[0].replace("_", "-") for word in words if word)
    # Asked of one at a time, because tyro suggests less where there are several.
    meant = dict.fromkeys(filter(None, (_meant_by(flag, ask) for flag in typed)))
    return f"; did you mean {', '.join(meant)}?" if meant else ""


def _meant_by(typed: str, ask: Callable[[str], str]) -> str | None:
    """Returns the flag that is meant by another, None if none is near."""
    group, dot, name = typed.removeprefix("--").rpartition(".")
    usual = SYNONYMS.get(name.replace("-", "_"), name).replace("_", "-")
    asked = f"{group}{dot}{usual}"
    box = ask(f"--{asked}")
    if UNKNOWN not in box:
        return f"--{asked}"
    _, *rest = parts_of(box)
    near = [FLAG.findall(row)[0] for part in rest for row in part if FLAG.match(row)]
    # Of a field that several parts of a configuration have, the training's: a study has it always.
    likely = (f"--lottery.{asked}", f"--lottery.train.{asked}", f"--lottery.{asked}.name")
    return min(near, key=lambda flag: flag not in likely, default=None)
