"""The e-processes, in one table: what each assumes, and where it is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.statistics.intervals import Estimate
from analysis.statistics.sequential.mixture import t_process, t_sequence
from analysis.statistics.sequential.signs import sign_process, sign_sequence


@dataclass(frozen=True, kw_only=True)
class Process:
    """One kind of evidence on where numbers of replicates lie."""

    location: str
    """What of their distribution is asked about."""
    log_e: Callable[..., np.ndarray]
    """Log e-values after each replicate: of values, ``null`` and ``side``."""
    sequence: Callable[[np.ndarray, float], Estimate]
    """Its confidence sequence: of values and a level."""


PROCESSES: dict[str, Process] = {
    "t": Process(location="mean", log_e=t_process, sequence=t_sequence),
    "sign": Process(location="median", log_e=sign_process, sequence=sign_sequence),
}
"""t: of differences that are nearly normal; sign: of logarithms of ratios, whatever their shape."""
