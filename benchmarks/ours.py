"""lttune's own training loop, as the benchmark calls it."""

from __future__ import annotations

from lttune.data.dataset import Dataset


def level(dataset: Dataset, steps: int, eval_every: int | None) -> float:
    """Returns the seconds that the training loop takes for ``steps`` steps of the dense network.

    What is made once per study (the resident dataset, the split) or once per network (the model) is
    not counted, as it is not in the baselines.

    Args:
        dataset: MNIST.
        steps: optimizer steps, batches of 60.
        eval_every: steps between evaluations of the validation split; None is no evaluation, or as
            few as the loop allows.
    """
    raise NotImplementedError
