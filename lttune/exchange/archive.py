"""Networks that are read from a store and never trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from lttune.errors import StorageError
from lttune.training.protocol import Member


class Archive:
    """Stands where the engine is that trained a study; trains nothing.

    Args:
        numerics: that engine's, from the records.
    """

    def __init__(self, numerics: str) -> None:
        self.numerics = numerics

    def groups(self, members: Sequence[Member]) -> list[list[int]]:
        """Returns all members as one group."""
        return [list(range(len(members)))]

    def train(self, members: Sequence[Member]) -> NoReturn:
        """Raises ``StorageError``: what would be trained is missing in the store."""
        raise StorageError(
            "the store lacks a network on the way to this level, or another version of lttune "
            "trained it; run the study again"
        )
