"""Cross-entropy of logits that lie in blocks [blocks, classes, 64]."""

from __future__ import annotations

import math

import numpy as np

from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.exponential import exponential
from lttune.training.engines.sparse.instructions.registers import (
    larger,
    load,
    splat,
    store,
    zeros64,
)
from lttune.training.engines.sparse.kernels.weight_sparse import BLOCK


@kernel()
def softmax(classes, logits, start, delta, sums):
    """Writes exp(logits - largest) of a block to ``delta`` and its sums to ``sums``; returns both.

    Returns:
        The largest logits and the sums, Register(64) each.
    """
    like = zeros64()
    largest = load(like, logits, start)
    for unit in range(1, classes):
        largest = larger(load(like, logits, start + unit * BLOCK), largest)
    sum_ = like
    for unit in range(classes):
        at = start + unit * BLOCK
        power = exponential(load(like, logits, at) - largest)
        store(delta, at, power)
        sum_ = sum_ + power
    store(sums, np.int64(0), sum_)
    return largest, sum_


@kernel()
def loss_gradient(examples, classes, logits, labels, delta, sums):
    """Writes the gradient of the mean cross-entropy; lanes without an example get zero."""
    share = np.float32(1.0 / examples)
    for block in range((examples + BLOCK - 1) // BLOCK):
        start, count = block * classes * BLOCK, min(BLOCK, examples - block * BLOCK)
        _, sum_ = softmax(classes, logits, start, delta, sums)
        factor = splat(sum_, share) / sum_
        for unit in range(classes):
            at = start + unit * BLOCK
            store(delta, at, load(factor, delta, at) * factor)
            delta[at + count : at + BLOCK] = 0
        for lane in range(count):
            delta[start + labels[block * BLOCK + lane] * BLOCK + lane] -= share


@kernel()
def loss_and_right(examples, classes, logits, labels, powers, sums, largest):
    """Returns the sum of the cross-entropies (nats, float64) and the number of right answers."""
    loss, right = 0.0, 0
    for block in range((examples + BLOCK - 1) // BLOCK):
        start, count = block * classes * BLOCK, min(BLOCK, examples - block * BLOCK)
        top, _ = softmax(classes, logits, start, powers, sums)
        store(largest, np.int64(0), top)
        for lane in range(count):
            label = labels[block * BLOCK + lane]
            logit = np.float64(logits[start + label * BLOCK + lane])
            loss += math.log(np.float64(sums[lane])) + largest[lane] - logit
            # The answer is the first of the largest logits, as argmax has it.
            answer = 0
            while answer < classes - 1 and logits[start + answer * BLOCK + lane] != largest[lane]:
                answer += 1
            right += answer == label
    return loss, right
