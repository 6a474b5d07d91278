"""The same ticket once more, with another noise of SGD."""

from __future__ import annotations

from lttune.trajectory.branches.departure import Departure
from lttune.trajectory.starts import Junction


def sibling(at: Junction) -> Departure:
    """The trunk's own ticket with another data order: Frankle et al. (2020), section 2.

    Its end weights are kept: how far they are from the trunk's is what ``connectivity`` measures.
    """
    return Departure(
        mask=at.mask,
        start=at.start,
        train=at.train,
        first_step=at.first_step,
        order="sibling",
    )
