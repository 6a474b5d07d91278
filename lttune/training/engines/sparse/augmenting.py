"""Training on augmented pictures: the torch engine's own, made before the kernels read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from lttune.data.resident import Examples
from lttune.training.protocol import Session


class AugmentingSession:
    """A session that sees each picture as its stream changes it; measured pictures stay.

    The kernels know pictures as they are stored. So a batch is augmented as bytes, by the function
    that the torch engine calls, and is the whole dataset of the one step that it is for.

    Args:
        session: what is trained.
        noise: the stream of the changes, drawn from batch by batch.
    """

    def __init__(self, session: Session, noise: np.random.Generator) -> None:
        self._session, self._noise = session, noise

    def run(self, examples: Examples, batches: Sequence[Tensor], rates: Sequence[float]) -> None:
        """Takes one optimizer step for each batch of indices (int64, [B]) at its learning rate."""
        if examples.augment == "none":
            self._session.run(examples, batches, rates)
            return
        for index, rate in zip(batches, rates, strict=True):
            drawn = examples.drawn(index, self._noise)
            self._session.run(drawn, [torch.arange(len(index))], [rate])

    def evaluate(self, examples: Examples) -> tuple[float, float]:
        """Returns the mean cross-entropy (nats) and the accuracy (in [0, 1])."""
        return self._session.evaluate(examples)

    def weights(self) -> dict[str, Tensor]:
        """Returns a copy of all weights, pruned ones exactly zero."""
        return self._session.weights()

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Replaces the weights, to evaluate a snapshot."""
        self._session.load(weights)
