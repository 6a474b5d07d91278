"""The help of a command: every text wrapped once, to the width of the terminal."""

from __future__ import annotations

import contextlib
import inspect
import re
import shutil
import textwrap
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def whole_docstrings() -> Iterator[None]:
    """Gives tyro (1.0) the docstrings of fields without the line breaks of their source.

    By itself it keeps those before indented lines, that is all of them, and wraps the pieces again.
    """
    # Long to import, and nobody but tyro needs it.
    import docstring_parser

    original = docstring_parser.parse_from_object

    def joined(described: Any) -> Any:
        found = original(described)
        for param in found.params:
            param.description = " ".join((param.description or "").split())
        return found

    docstring_parser.parse_from_object = joined
    try:
        yield
    finally:
        docstring_parser.parse_from_object = original


def help_text(doc: str) -> str:
    """Returns a docstring as tyro's description, wrapped once, to the width of the terminal.

    Paragraphs are filled and lists have their columns; what is indented by four, such as a command,
    stays as it is. tyro joins a line to the one before if it begins with a letter, so lines that go
    on are indented, and a blank line before a list would become two.
    """
    width = max(shutil.get_terminal_size().columns, 40)
    lines = inspect.cleandoc(doc).splitlines()
    found: list[str] = []
    while lines:
        line = lines.pop(0)
        indent = _indent(line)
        more = [line]
        # A paragraph goes on at its margin, an item of a list to the right of it.
        while line and indent < 4 and lines and lines[0]:
            if (_indent(lines[0]) > indent) != bool(indent):
                break
            more.append(lines.pop(0))
        if indent and found[-1:] == [""]:
            found.pop()
        name = re.match(r"\s+\S+\s{2,}", line)
        hanging = " " * (name.end() if name else 1)
        filled = textwrap.fill(
            " ".join(part.strip() for part in more),
            width,
            initial_indent=indent * " ",
            subsequent_indent=hanging,
            break_long_words=False,
            break_on_hyphens=False,
        )
        found += [line] if indent >= 4 or not line else filled.splitlines()
    return "\n".join(found)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
