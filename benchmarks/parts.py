"""CPU time of a thread by part: of whatever calls whatever, each second counts for one part."""

from __future__ import annotations

import functools
import gc
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any

COLLECTING = "garbage collection"
"""Part of Python's own collections, in whatever they come."""


class Parts:
    """CPU seconds of the thread that made it.

    Args:
        of: part -> the classes whose methods, as far as they have them, are counted for it.
    """

    def __init__(self, of: Mapping[str, Mapping[type, Collection[str]]]) -> None:
        self.spent = defaultdict[str, float](float)
        self._inside: list[tuple[str, float]] = [("", 0.0)]
        self._thread = threading.get_ident()
        for part, owners in of.items():
            for owner, names in owners.items():
                for name in names:
                    if hasattr(owner, name):
                        setattr(owner, name, self.timed(part, getattr(owner, name)))
        gc.callbacks.append(self._collects)

    def timed(self, part: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """Returns a method whose CPU seconds count for a part, but for what counts for another."""

        @functools.wraps(method)
        def timed(*arguments: Any, **named: Any) -> Any:
            if threading.get_ident() != self._thread:
                return method(*arguments, **named)
            self._enter(part)
            try:
                return method(*arguments, **named)
            finally:
                self._leave()

        return timed

    def close(self) -> None:
        """Counts no collections any more."""
        gc.callbacks.remove(self._collects)

    def _collects(self, phase: str, _: Any) -> None:
        if threading.get_ident() == self._thread:
            self._enter(COLLECTING) if phase == "start" else self._leave()

    def _enter(self, part: str) -> None:
        self._inside.append((part, time.thread_time()))

    def _leave(self) -> None:
        part, began = self._inside.pop()
        took = time.thread_time() - began
        self.spent[part] += took
        # Of what it was called by that is no time.
        if outer := self._inside[-1][0]:
            self.spent[outer] -= took
