"""A gang: members that train in step, each by its own course.

Shape suffixes: N steps, K slots, B examples of a batch, S scalars of an optimizer rule.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from lttune.data.resident import Examples
from lttune.models.masks import Weights
from lttune.training.engines.stacked.layout import Layout, aligned
from lttune.training.engines.stacked.rules import Rule
from lttune.training.engines.stacked.stack import Stack
from lttune.training.protocol import Course, Member, Trained
from lttune.training.schedule import evaluation_steps

AHEAD = 25
"""Steps whose batches are prepared at once. A GPU works on them while the next are prepared."""


class Seat:
    """One member's slot as its course sees it, and the steps the member has yet to take."""

    def __init__(self, slot: int, member: Member, stack: Stack) -> None:
        self.slot, self.member, self.course = slot, member, Course(member)
        self.batches: list[Tensor] = []
        self.rates: list[float] = []
        self.seconds = 0.0
        self.measured: dict[int, tuple[float, float]] = {}
        self._stack = stack
        self._stops = set(evaluation_steps(member.config, member.first_step))
        stack.fill(slot, member.start, member.mask)

    def advance(self) -> bool:
        """Takes the next stretch of the course; returns whether there is one."""
        stretch = self.course.stretch()
        if stretch is not None:
            self.batches, self.rates = stretch
        return stretch is not None

    def take(self, steps: int) -> tuple[list[Tensor], list[float]]:
        """Takes the next steps off the stretch; what was measured holds no longer."""
        batches, rates = self.batches[:steps], self.rates[:steps]
        del self.batches[:steps], self.rates[:steps]
        self.measured = {}
        return batches, rates

    def wanted(self) -> list[Examples]:
        """Returns the examples that the course will measure where it has arrived."""
        if self.course.done not in self._stops:
            return []
        material = self.member.material
        tested = self.member.config.eval_test
        return [material.validation, material.test] if tested else [material.validation]

    def evaluate(self, examples: Examples) -> tuple[float, float]:
        """Returns mean cross-entropy and accuracy, from what was measured together if it was."""
        found = self.measured.get(id(examples))
        return found or self._stack.measure([self.slot], examples)[0]

    def weights(self) -> Weights:
        """Returns a copy of the weights."""
        return self._stack.read(self.slot)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Replaces the weights."""
        self.measured = {}
        self._stack.write(self.slot, weights)


class Gang:
    """Members of one shape, rule and batch size, which begin together.

    Args:
        members: at most ``slots``.
        rule: the optimizer of all of them.
        slots: of the stack. Empty ones are computed too: the same kernels run for one member as
            for a full gang.
        shared: whether all members see the same batches.
        device: that holds the stack and the examples.
    """

    def __init__(
        self,
        members: Sequence[Member],
        rule: Rule,
        slots: int,
        shared: bool,
        device: torch.device,
    ) -> None:
        self._stack = Stack(Layout(members[0].network), rule, slots, device)
        self._seats = [Seat(slot, member, self._stack) for slot, member in enumerate(members)]
        self._pool, self._rule = members[0].material.pool, rule
        self._slots, self._shared, self._device = slots, shared, device
        self._width = aligned(members[0].config.batch_size)
        self._taken = 0

    def train(self) -> list[Trained]:
        """Trains every member to the end of its course and returns what each gave.

        The time of steps and measurements taken together is divided among those who took part, so
        that the members' times add up to the time that passed.
        """
        active = [seat for seat in self._seats if seat.advance()]
        trained: dict[int, Trained] = {}
        while active:
            if steps := min(AHEAD, *(len(seat.batches) for seat in active)):
                began = time.perf_counter()
                self._run(active, steps)
                self._share(began, active)
            while arrived := [seat for seat in active if not seat.batches]:
                self._measure(arrived)
                for seat in arrived:
                    began = time.perf_counter()
                    seat.course.arrive(seat)
                    more = seat.advance()
                    seat.seconds += time.perf_counter() - began
                    if not more:
                        trained[seat.slot] = seat.course.finish(seat, seat.seconds)
                        self._stack.clear(seat.slot)
                        active.remove(seat)
        return [trained[slot] for slot in range(len(self._seats))]

    def _run(self, active: Sequence[Seat], steps: int) -> None:
        """Takes the next ``steps`` steps of all active members."""
        index_NKB = np.zeros((steps, self._slots, self._width), np.int64)
        share_NKB = np.zeros(index_NKB.shape, np.float32)
        rate_NK, decay_K, factor_K = np.zeros((steps, self._slots)), *np.zeros((2, self._slots))
        for seat in active:
            batches, rate_NK[:, seat.slot] = seat.take(steps)
            index_NKB[:, seat.slot], share_NKB[:, seat.slot] = at_one_width(batches, self._width)
            decay_K[seat.slot] = seat.member.config.weight_decay
            factor_K[seat.slot] = seat.member.config.momentum
        number_N1 = np.arange(1.0, steps + 1)[:, None] + self._taken
        scalars = self._rule.scalars(rate_NK, decay_K, factor_K, number_N1)
        scalars_NSK = self._put(np.stack(scalars, 1).astype(np.float32))
        at = self._put(index_NKB[:, active[0].slot] if self._shared else index_NKB)
        share = self._put(share_NKB)
        for index, share_KB, scalars_SK in zip(at, share, scalars_NSK, strict=True):
            x, y = self._pool.batch(index.flatten())
            self._stack.step(x.view(*index.shape, -1), y.view_as(index), share_KB, scalars_SK)
        self._taken += steps

    def _measure(self, arrived: Sequence[Seat]) -> None:
        """Measures on the same examples together what the courses of those arrived will ask for."""
        if self._device.type == "cuda":
            # Steps that were only queued are training time, not evaluation time.
            began = time.perf_counter()
            torch.cuda.synchronize(self._device)
            self._share(began, arrived)
        wanted: dict[int, tuple[Examples, list[Seat]]] = {}
        for seat in arrived:
            for examples in seat.wanted():
                wanted.setdefault(id(examples), (examples, []))[1].append(seat)
        for key, (examples, seats) in wanted.items():
            began = time.perf_counter()
            measures = self._stack.measure([seat.slot for seat in seats], examples)
            for seat, measure in zip(seats, measures, strict=True):
                seat.measured[key] = measure
                seat.course.eval_time_s += (time.perf_counter() - began) / len(seats)
            self._share(began, seats)

    def _put(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(array)
        if self._device.type == "cuda":
            # From memory that is not pinned, a copy would wait for all steps queued before it.
            tensor = tensor.pin_memory()
        return tensor.to(self._device, non_blocking=True)

    @staticmethod
    def _share(began: float, seats: Sequence[Seat]) -> None:
        each = (time.perf_counter() - began) / len(seats)
        for seat in seats:
            seat.seconds += each


def at_one_width(batches: Sequence[Tensor], width: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns batches of indices at one width, and each example's share in its batch's mean.

    Padding repeats the batch's first example with a share of 0: it adds exact zeros, and is not
    finite only where the batch itself is not.

    Returns:
        Indices (int64) and shares (float32), both [N, width].
    """
    sizes_N1 = np.array([len(batch) for batch in batches])[:, None]
    real_NB = np.arange(width) < sizes_N1
    flat = torch.cat(list(batches)).numpy()
    first_N1 = flat[np.cumsum(sizes_N1) - sizes_N1[:, 0]][:, None]
    index_NB = np.repeat(first_N1, width, 1)
    index_NB[real_NB] = flat
    return index_NB, (real_NB / sizes_N1).astype(np.float32)
