"""A training step as a CUDA graph: for networks so small that starting kernels takes longer.

A graph replays the kernels of one step on the same memory. Inputs are copied into fixed places;
a batch of another size, the last of an epoch, is trained without the graph.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

SMALL = 4_000_000
"""Parameters up to which a step is captured: above it, kernels take longer than their start."""
WARM_UP = 3
"""Steps before the capture, in which libraries allocate what they keep; undone afterwards."""

_log = logging.getLogger(__name__)


def worthwhile(device: torch.device, parameters: int) -> bool:
    """Returns whether a network of so many parameters gains from a graph on a device."""
    return device.type == "cuda" and parameters <= SMALL


class Graph:
    """Trains by ``act``, from the first full batch on as a replay where that can be captured.

    Args:
        act: one step on inputs (float32, [B, ...]) and classes (int64, [B]).
        size: examples of a full batch.
        state: returns every tensor that ``act`` changes.
        capture: records what a call does and returns what repeats it.
    """

    def __init__(
        self,
        act: Callable[[Tensor, Tensor], None],
        size: int,
        state: Callable[[], list[Tensor]],
        capture: Callable[[Callable[[], None]], Callable[[], None]] | None = None,
    ) -> None:
        self._act, self._size, self._state = act, size, state
        self._capture = capture or _captured
        self._replay: Callable[[], None] | None = None
        self._x = self._y = torch.empty(0)

    def step(self, x: Tensor, y: Tensor) -> None:
        """Takes one step."""
        if len(y) != self._size:
            self._act(x, y)
            return
        if self._replay is None:
            self._replay = self._record(x, y)
        self._x.copy_(x)
        self._y.copy_(y)
        self._replay()

    def _record(self, x: Tensor, y: Tensor) -> Callable[[], None]:
        self._x, self._y = x.clone(), y.clone()
        before = [(tensor, tensor.clone()) for tensor in self._state()]

        def act() -> None:
            self._act(self._x, self._y)

        try:
            replay = self._capture(act)
        except Exception as error:  # What CUDA and its libraries raise has no common class.
            _log.warning("torch engine: steps are no CUDA graph here, hence slower: %s", error)
            replay = act
        known = {id(tensor) for tensor, _ in before}
        for tensor, value in before:
            tensor.copy_(value)
        # Moments that the first step made are as they were before it: zero.
        for tensor in self._state():
            if id(tensor) not in known:
                tensor.zero_()
        return replay


def _captured(act: Callable[[], None]) -> Callable[[], None]:
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            act()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        act()
    return graph.replay
