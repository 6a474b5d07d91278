"""Files with a function of one's own. Nothing slow is imported here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def writer(folder: Path, arguments: str, imports: str = "") -> Callable[[str], str]:
    """Returns a function that writes the body of a function of one's own, and returns its name."""

    def write(body: str) -> str:
        source = f"{imports}seen = []\ndef part({arguments}):\n    {body.strip()}\n"
        (folder / "own.py").write_text(source)
        return f"{folder}/own.py:part"

    return write
