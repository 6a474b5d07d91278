"""What was looked at, and what is wrong with it, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from lttune.errors import legible


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """One thing that was looked at."""

    what: str
    """What it is, and what was seen."""
    trouble: str = ""
    """What is wrong with it; empty if nothing is."""
    mend: str = ""
    """What to do about that."""
    exit_code: int = 0
    """That of ``lttune.errors``, 0 for what is no more than a warning."""

    @property
    def line(self) -> str:
        """It in one line."""
        mark = "ok" if not self.trouble else "FAULT" if self.exit_code else "warning"
        parts = filter(None, (f"{mark:8}{self.what}", self.trouble, self.mend))
        return legible(": ".join(parts))
