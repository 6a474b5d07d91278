"""The two compiled entries: many training steps, and the measurement of many examples."""

from __future__ import annotations

import numpy as np

from lttune.training.engines.sparse.instructions.cache import entry, kernel, sources_digest
from lttune.training.engines.sparse.kernels.backward_pass import backward
from lttune.training.engines.sparse.kernels.forward_pass import forward
from lttune.training.engines.sparse.kernels.lists import (
    announce_lists,
    announce_pictures,
    gather,
    to_columns,
)
from lttune.training.engines.sparse.kernels.loss import loss_and_right, loss_gradient
from lttune.training.engines.sparse.kernels.optimizers import prepare, update
from lttune.training.engines.sparse.kernels.weight_sparse import BLOCK
from lttune.training.engines.sparse.memory import (
    ACTIVE_BLOCKS,
    BIAS,
    INPUT_SPARSE,
    INPUTS,
    KIND,
    OUTPUTS,
)


@kernel()
def inputs(net, room, pixels, batch):
    """Writes a batch's pixels as the first layer's kernels want them."""
    gain, units = np.float32(pixels.gain), net.layers[0][INPUTS]
    if net.layers[0][KIND] == INPUT_SPARSE:
        gather(
            batch, pixels.ends, pixels.places, pixels.shades, gain, room.ends, room.places, room.lit
        )
    else:
        to_columns(batch, units, pixels.pictures, room.pile, room.shades)


@kernel()
def announce(net, pixels, batch):
    """Asks for the pixels of the next batch, which lie anywhere in memory."""
    if net.layers[0][KIND] == INPUT_SPARSE:
        announce_lists(batch, pixels.ends, pixels.places, pixels.shades)
    else:
        announce_pictures(batch, net.layers[0][INPUTS], pixels.pictures)


def _compiled(digest: str):
    # numba's cache looks at the file of the entry only. The hash of all sources is a variable that
    # the entries close over, and so part of the key: a changed kernel is never served stale.
    @entry
    def train(net, room, pixels, indices, starts, rates, done, kind, decay, momentum):
        """Takes a step for each batch, after ``done`` others."""
        assert digest
        classes = net.layers[-1][OUTPUTS]
        at = room.table[len(net.layers)][ACTIVE_BLOCKS]
        logits, deltas = room.blocks[at:], room.block_deltas[at:]
        gain, dark = np.float32(pixels.gain), pixels.dark
        for step in range(len(rates)):
            batch = indices[starts[step] : starts[step + 1]]
            for example in range(len(batch)):
                room.labels[example] = pixels.labels[batch[example]]
            inputs(net, room, pixels, batch)
            following = indices[starts[step + 1] : starts[min(step + 2, len(rates))]]
            announce(net, pixels, following)
            prepare(kind, rates[step], decay, momentum, done + step + 1, room.settings)
            forward(net, room, len(batch), gain, dark, 0)
            loss_gradient(len(batch), classes, logits, room.labels, deltas, room.small)
            backward(net, room, len(batch), gain, dark, kind, 0)
            begin, count = net.layers[0][BIAS], len(net.gradient)
            update(
                kind,
                room.settings,
                net.values,
                net.first,
                net.second,
                begin,
                net.gradient,
                0,
                count,
            )

    @entry
    def evaluate(net, room, pixels, indices, chunk):
        """Returns the sum of the cross-entropies and the number of right answers."""
        assert digest
        classes = net.layers[-1][OUTPUTS]
        at = room.table[len(net.layers)][ACTIVE_BLOCKS]
        logits, powers = room.blocks[at:], room.block_deltas[at:]
        loss, right = 0.0, 0
        for start in range(0, len(indices), chunk):
            batch = indices[start : start + chunk]
            inputs(net, room, pixels, batch)
            announce(net, pixels, indices[start + chunk : start + 2 * chunk])
            forward(net, room, len(batch), np.float32(pixels.gain), pixels.dark, 0)
            part, count = loss_and_right(
                len(batch),
                classes,
                logits,
                pixels.labels[start : start + chunk],
                powers,
                room.small,
                room.small[BLOCK:],
            )
            loss, right = loss + part, right + count
        return loss, right

    return train, evaluate


train, evaluate = _compiled(sources_digest())
