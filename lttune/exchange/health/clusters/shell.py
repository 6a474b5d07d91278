"""What a batch script says, as far as that is told without running it: values, arrays, commands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

_COMMENT = re.compile(r"^#(?!SBATCH\b).*$|\s#\s.*$", re.MULTILINE)
_VARIABLE = re.compile(r"""^(\w+)=("[^"\n]*"|'[^'\n]*'|\S+)""", re.MULTILINE)
_ASSIGNED = re.compile(r"(?<![\w$-])(\w+)=|\bfor\s+(\w+)\s+in\b")
_USED = re.compile(r"\$\{?(\w+)")
_WHOLE = re.compile(r"\$(?:(?=\w)|\{(?=\w+\}))(\w+)\}?")
"""A variable, and neither a part of an array nor one with a default."""
_ARRAY = re.compile(r"^(\w+)=\(([^()]*(?:\([^()]*\)[^()]*)*)\)", re.MULTILINE)
_ELEMENTS = re.compile(r"\$\{(\w+)\[[@*]\]\}")
_GOES_ON = re.compile(r"\\\n\s*")
_STUDY = re.compile(r"""\bpython[\d.]*["']?\s+(?!-c\b|-m\s+(?:pip|venv)\b).*""")
_PER_ELEMENT = re.compile(
    r"SLURM_(?!ARRAY_JOB_ID|ARRAY_TASK_(?:COUNT|MIN|MAX)|SUBMIT_|JOB_NAME)\w+"
)
LEAST_EXPANDED = 100_000
"""Characters that the values of variables may have in a short script."""


def with_values(text: str) -> str:
    """Returns a script without comments, with the values of its variables.

    It grows to twice its length at most. What is assigned more than once has no one value.
    """
    code = _COMMENT.sub("", text)
    times = Counter(name for pair in _ASSIGNED.findall(code) for name in pair)
    known = dict[str, str]()
    room = max(len(code), LEAST_EXPANDED)
    for name, value in _VARIABLE.findall(code):
        if times[name] == 1:
            known[name] = _expanded(_WHOLE, value.strip("\"'"), known, room)
            room -= len(known[name])
    return _expanded(_WHOLE, code, known, max(len(code), LEAST_EXPANDED))


def _expanded(used: re.Pattern[str], text: str, known: Mapping[str, str], room: int) -> str:
    left = room

    def value(found: re.Match[str]) -> str:
        nonlocal left
        here = known.get(found[1], found[0])
        left -= len(here)
        return here if left >= 0 else found[0]

    return used.sub(value, text)


def study_commands(code: str) -> list[str]:
    """Returns the commands of a script that run Python on a file or a module, each in one line."""
    arrays = {name: " ".join(body.split()) for name, body in _ARRAY.findall(code)}
    lines = _GOES_ON.sub(" ", _ARRAY.sub("", code))
    lines = _expanded(_ELEMENTS, lines, arrays, max(len(code), LEAST_EXPANDED))
    return _STUDY.findall(lines)


def is_one_for_all(text: str, code: str) -> bool:
    """Returns whether a text of a script is surely the same in each element of its array.

    What a command prints is not known, nor what a variable holds that the script sets in a way that
    is not followed; one of capitals that it does not set is the environment's.
    """
    assigned = {"TMPDIR", *(name for pair in _ASSIGNED.findall(code) for name in pair)}
    is_run = any(mark in text for mark in ("`", "$(", "%"))
    return not is_run and all(
        one.isupper() and one not in assigned and not _PER_ELEMENT.fullmatch(one)
        for one in _USED.findall(text)
    )
