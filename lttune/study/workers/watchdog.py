"""Trials whose worker neither dies nor reports, because it was stopped or waits for ever."""

from __future__ import annotations

import time

LEAST_S = 1800.0
"""Seconds without a report that are never too long."""
LEVELS = 50
"""Times the longest level so far that a level may take: trials differ in networks and controls."""
_STEP_S = 5.0


class Watchdog:
    """Knows for how long every running trial has reported nothing.

    Time counts while ``silent`` is asked, a few seconds at most between two times: a study that was
    itself stopped, or slept with its machine, finds nobody silent when it goes on.

    Args:
        least_s: seconds without a report that are never too long.
        levels: times the longest level so far that a level may take.
    """

    def __init__(self, least_s: float = LEAST_S, levels: float = LEVELS) -> None:
        self._least_s, self._levels = least_s, levels
        self._silence_s: dict[int, float] = {}
        self._longest_s = 0.0
        self._asked = time.monotonic()

    def began(self, number: int) -> None:
        """A trial begins, or begins again."""
        self._silence_s[number] = 0.0

    def reported(self, number: int, trained: bool) -> None:
        """A trial finished a level; ``trained`` says whether a network of it was."""
        if trained:
            self._longest_s = max(self._longest_s, self._silence_s.get(number, 0.0))
        self._silence_s[number] = 0.0

    def ended(self, number: int) -> None:
        """A trial ended, or its worker did."""
        self._silence_s.pop(number, None)

    def silent(self) -> dict[int, float]:
        """Returns trial -> seconds of those that are silent for too long; each once, then anew.

        Nobody is before a network was trained: how long that takes is not known yet.
        """
        now = time.monotonic()
        passed, self._asked = min(now - self._asked, _STEP_S), now
        for number in self._silence_s:
            self._silence_s[number] += passed
        most = max(self._least_s, self._levels * self._longest_s)
        found = {n: s for n, s in self._silence_s.items() if s > most and self._longest_s > 0}
        self._silence_s |= dict.fromkeys(found, 0.0)
        return found
