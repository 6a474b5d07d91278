"""Text that moves a terminal's cursor, and what of it reaches one."""

from __future__ import annotations

import unicodedata

SEQUENCE = "\x1b]0;mine\x07"
"""Sets the title of a terminal's window, and harms nothing."""
WRITTEN_OUT = r"\x1b]0;mine\x07"
"""What a person should see of it."""


def control_characters(text: str) -> set[str]:
    """Returns the control characters of a text that are no ends of lines and no tabs."""
    return {one for one in text if unicodedata.category(one) == "Cc"} - {"\n", "\t"}
