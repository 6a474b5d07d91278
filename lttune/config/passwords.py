"""Passwords are not shown: not on the screen, not in files, not in MLflow."""

from __future__ import annotations

import re


def masked(text: str) -> str:
    """Returns a text with the password of every URI and ``password=`` in it shown as ***."""
    text = re.sub(r"(://[^\s:/@]*):\S*@", r"\1:***@", text)
    return re.sub(r"(?i)\b(password|token|secret)=[^\s&]+", r"\1=***", text)
