"""The parameters of a gang of networks, and one step or one evaluation of them.

Shape suffixes: K slots, B examples of a batch, I inputs and O outputs of a layer, R rows of a first
layer with its padding, C classes, S scalars of an optimizer rule. Activations are [K, units, B]: a
first layer over one batch for all members is then one product without a copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from lttune.data.resident import Examples
from lttune.models.masks import Mask, Weights, apply
from lttune.training.engines.stacked.layout import Layout
from lttune.training.engines.stacked.rules import Rule

CHUNKS = {"cpu": 1_000, "cuda": 10_000}
"""Examples a forward pass of an evaluation takes: on the CPU activations should stay in the cache,
on a GPU a launch should be worth its while."""


class Stack:
    """A fixed number of slots, each for one network; an empty slot is zero and stays zero."""

    def __init__(self, layout: Layout, rule: Rule, slots: int, device: torch.device) -> None:
        def blocks() -> list[Tensor]:
            return [torch.zeros(slots, width, device=device) for width in layout.widths]

        self._layout, self._rule, self._device, self._slots = layout, rule, device, slots
        self._values, self._gradients, self._keep = blocks(), blocks(), blocks()
        self._moments = [blocks() for _ in range(rule.moments)]
        self._weights = [self._views(self._values, f"{name}.weight") for name in layout.layers]
        self._biases = [self._views(self._values, f"{name}.bias") for name in layout.layers]
        self._to_weights = [self._views(self._gradients, f"{n}.weight") for n in layout.layers]
        self._to_biases = [self._views(self._gradients, f"{n}.bias") for n in layout.layers]
        self._classes = torch.arange(layout.units[-1], device=device)[:, None]

    def fill(self, slot: int, start: Mapping[str, Tensor], mask: Mask) -> None:
        """Puts a network and its mask into an empty slot."""
        shapes = self._layout.network.shapes
        keep = {name: mask.get(name, torch.ones(shape)) for name, shape in shapes.items()}
        self._put(self._keep, slot, keep)
        self.write(slot, apply(start, mask))

    def clear(self, slot: int) -> None:
        """Empties a slot."""
        for blocks in (self._values, self._gradients, self._keep, *self._moments):
            for block in blocks:
                block[slot] = 0

    def read(self, slot: int) -> Weights:
        """Returns a copy of a slot's weights, pruned ones exactly zero, on the CPU."""
        rows = [block[slot].to("cpu", copy=True) for block in self._values]
        return {
            name: rows[block][at : at + shape.numel()].view(shape).clone()
            for name, (block, at, shape) in self._places()
        }

    def write(self, slot: int, weights: Mapping[str, Tensor]) -> None:
        """Replaces a slot's weights, to start or to evaluate a snapshot."""
        self._put(self._values, slot, weights)

    @torch.no_grad()
    def step(self, x: Tensor, y: Tensor, share: Tensor, scalars: Tensor) -> None:
        """Takes one optimizer step in every slot.

        Args:
            x: inputs [K, B, I], or [B, I] where all slots see the same batch: the first layer is
                then one product for all of them, forward and back.
            y: classes [K, B] or [B].
            share: each example's share in its slot's loss, [K, B]: 1 / batch size, or 0 for
                padding. A slot's loss is its own mean; losses are summed over slots, so that no
                gradient knows of another slot.
            scalars: what the optimizer rule needs, [S, K].
        """
        inputs, logits_KCB = self._forward(x.transpose(-2, -1))
        hot_KCB = (y.unsqueeze(-2) == self._classes).to(torch.float32)
        delta = functional.softmax(logits_KCB, 1).sub_(hot_KCB).mul_(share.unsqueeze(1))
        self._backward(inputs, delta)
        columns = scalars.unsqueeze(-1).unbind()
        for block in range(2):
            moments = [blocks[block] for blocks in self._moments]
            arguments = self._values[block], self._gradients[block], self._keep[block]
            self._rule.update(*arguments, *moments, *columns)

    @torch.no_grad()
    def measure(self, slots: Sequence[int], examples: Examples) -> list[tuple[float, float]]:
        """Returns the mean cross-entropy (nats) and the accuracy (in [0, 1]) of each slot.

        Slots share the inputs, but each has products of its own: its result cannot depend on which
        others are measured. The device is waited for once.
        """
        chunk, total = CHUNKS[self._device.type], len(examples)
        sums = torch.zeros(len(slots), 2, dtype=torch.float64, device=self._device)
        for begin in range(0, total, chunk):
            x, y = examples.slice(begin, begin + chunk)
            for row, slot in zip(sums, slots, strict=True):
                h = x.flatten(1)
                for weight, bias in zip(self._weights, self._biases, strict=True):
                    inputs = h if weight is self._weights[0] else functional.relu(h)
                    h = functional.linear(inputs, weight[slot], bias[slot, :, 0])
                row[0] += functional.cross_entropy(h, y, reduction="sum")
                row[1] += (h.argmax(1) == y).sum()
        return [(loss / total, correct / total) for loss, correct in sums.tolist()]

    def _forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Returns every layer's inputs and the logits [K, C, B] of inputs [K, I, B] or [I, B]."""
        inputs, weight_KOI, bias_KO1 = [x], self._weights[0], self._biases[0]
        if x.dim() == 2:
            product = torch.mm(self._first(self._values), x)
            h_KRB = product.view(self._slots, -1, x.shape[1])
            h = h_KRB[:, : self._layout.units[1]].add_(bias_KO1)
        else:
            h = torch.baddbmm(bias_KO1, weight_KOI, x)
        for weight_KOI, bias_KO1 in zip(self._weights[1:], self._biases[1:], strict=True):
            inputs.append(h.relu_())
            h = torch.baddbmm(bias_KO1, weight_KOI, h)
        return inputs, h

    def _backward(self, inputs: list[Tensor], delta: Tensor) -> None:
        """Writes all gradients; ``delta`` [K, C, B] is the loss's gradient at the logits.

        Written by hand: autograd would make the gradients elsewhere and add them up here.
        """
        for layer in reversed(range(len(inputs))):
            h = inputs[layer]
            torch.sum(delta, 2, keepdim=True, out=self._to_biases[layer])
            if h.dim() == 2:
                padding = self._layout.rows - delta.shape[1]
                delta_KRB = functional.pad(delta, (0, 0, 0, padding)) if padding else delta
                gradient = self._first(self._gradients)
                torch.mm(delta_KRB.view(-1, h.shape[1]), h.T, out=gradient)
            else:
                torch.bmm(delta, h.transpose(1, 2), out=self._to_weights[layer])
            if layer > 0:
                delta = torch.bmm(self._weights[layer].transpose(1, 2), delta)
                delta.masked_fill_(h <= 0, 0.0)

    def _first(self, blocks: list[Tensor]) -> Tensor:
        """Returns the first layers of all slots as one matrix [K * R, I]."""
        return blocks[0].view(-1, self._layout.units[0])

    def _places(self) -> list[tuple[str, tuple[int, int, torch.Size]]]:
        places = self._layout.places.items()
        return [(name, (block, at, torch.Size(shape))) for name, (block, at, shape) in places]

    def _put(self, blocks: list[Tensor], slot: int, values: Mapping[str, Tensor]) -> None:
        rows = [torch.zeros(block.shape[1]) for block in blocks]
        for name, (block, at, shape) in self._places():
            rows[block][at : at + shape.numel()] = values[name].flatten()
        for block, row in zip(blocks, rows, strict=True):
            block[slot] = row.to(self._device)

    def _views(self, blocks: list[Tensor], name: str) -> Tensor:
        """Returns a weight as [K, O, I] or a bias as [K, O, 1] of all slots."""
        block, at, shape = self._layout.places[name]
        count = torch.Size(shape).numel()
        return blocks[block][:, at : at + count].view(self._slots, shape[0], -1)
