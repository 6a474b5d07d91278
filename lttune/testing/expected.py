"""How a check says that something is not as it must be."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch


def expect(holds: bool, otherwise: str) -> None:
    """Raises ``AssertionError`` with what is wrong ``otherwise``, unless it ``holds``."""
    if not holds:
        raise AssertionError(otherwise)


@contextlib.contextmanager
def global_draws_untouched(
    name: str, rule: str = "draw from the stream that it is given, no global one"
) -> Iterator[None]:
    """Raises ``AssertionError`` if what is done inside moves PyTorch's or NumPy's generator.

    Args:
        name: of who does it.
        rule: what it must do instead.
    """

    def states() -> tuple[bytes, str]:
        # Its state and nothing else is read: whoever draws from it is to be found out.
        return torch.get_rng_state().numpy().tobytes(), str(np.random.get_state())  # noqa: NPY002

    before = states()
    yield
    expect(states() == before, f"{name} must {rule}")
