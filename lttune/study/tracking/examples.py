"""The training examples of a study as MLflow names them: an input of the study's run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class TrainingExamples:
    """What is known of a dataset without its bytes."""

    name: str
    digest: str
    """SHA-256 of all of it."""
    source: str
    """Where the bytes came from."""
    shape: tuple[int, ...]
    """Of all pictures that training and validation share, their number first."""

    @classmethod
    def of(cls, dataset: Mapping[str, Any]) -> TrainingExamples:
        """Returns the examples of the field ``dataset`` of a study's sheet."""
        number = dataset["train"] + dataset["validation"]
        names = ("name", "digest", "source")
        return cls(**{name: dataset[name] for name in names}, shape=(number, *dataset["shape"]))
