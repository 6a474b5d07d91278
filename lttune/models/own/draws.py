"""PyTorch's global generators, from which networks of one's own draw.

Networks of ours draw from streams that are handed to them. A network of one's own may have
``nn.Dropout`` or draw in its constructor: what it draws must be the same whenever it is trained,
and change nothing of what others draw.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Has the CPU's generator begin at a seed inside, and be as it was before afterwards.

    Args:
        seed: from 0 to 2^63 - 1.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def seed_of(noise: np.random.Generator) -> int:
    """Returns where the global generators begin in a training: the first number of its stream.

    Whatever else is drawn from the stream comes after it, in every engine.
    """
    return int(noise.integers(2**63))


class GlobalDraws:
    """The global generators as one training sees them, whatever else draws in between.

    Args:
        seed: where they begin, from 0 to 2^63 - 1.
        device: where is trained; a GPU has a generator of its own.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._devices = [device] if device.type == "cuda" else []
        with self._forked():
            torch.default_generator.manual_seed(seed)
            for one in self._devices:
                with torch.cuda.device(one):
                    torch.cuda.manual_seed(seed)
            self._states = self._read()

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """Has the generators go on inside from where they were left."""
        with self._forked():
            first, *others = self._states
            torch.set_rng_state(first)
            for one, state in zip(self._devices, others, strict=True):
                torch.cuda.set_rng_state(state, one)
            yield
            self._states = self._read()

    def _forked(self) -> contextlib.AbstractContextManager[None]:
        return torch.random.fork_rng(devices=self._devices)

    def _read(self) -> list[Tensor]:
        return [torch.get_rng_state(), *(torch.cuda.get_rng_state(one) for one in self._devices)]
