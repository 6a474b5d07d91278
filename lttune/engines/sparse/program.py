"""The two compiled entries: many training steps, and the measurement of many examples."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numba
import numpy as np

from lttune.engines.sparse.backward_pass import backward
from lttune.engines.sparse.forward_pass import forward
from lttune.engines.sparse.lists import announce, gather, scatter
from lttune.engines.sparse.loss import gradient, measure
from lttune.engines.sparse.memory import ACTIVE_BLOCKS, INPUT_SPARSE, INPUTS, KIND, OUTPUTS
from lttune.engines.sparse.optimizers import prepare, update
from lttune.engines.sparse.weight_sparse import BLOCK


@numba.njit(nogil=True)
def inputs(net, room, pixels, batch):
    """Writes a batch's pixels as the first layer's kernels want them."""
    gain, units = np.float32(pixels.gain), net.layers[0][INPUTS]
    if net.layers[0][KIND] == INPUT_SPARSE:
        gather(
            batch, pixels.ends, pixels.places, pixels.shades, gain, room.ends, room.places, room.lit
        )
    else:
        scatter(batch, units, pixels.ends, pixels.places, pixels.shades, room.shades)


def _compiled(sources: str):
    # numba's cache looks at the file of the entry only. The hash of all sources is a variable that
    # the entries close over, and so part of the key: a changed kernel is never served stale.
    @numba.njit(nogil=True, cache=True)
    def train(net, room, pixels, indices, starts, rates, done, kind, decay, momentum):
        """Takes a step for each batch, after ``done`` others."""
        assert sources
        classes = net.layers[-1][OUTPUTS]
        at = room.table[len(net.layers)][ACTIVE_BLOCKS]
        logits, deltas = room.blocks[at:], room.block_deltas[at:]
        gain, dark = np.float32(pixels.gain), pixels.dark
        labels = np.empty(BLOCK, np.int64)
        for step in range(len(rates)):
            batch = indices[starts[step] : starts[step + 1]]
            if len(labels) < len(batch):
                labels = np.empty(len(batch), np.int64)
            for example in range(len(batch)):
                labels[example] = pixels.labels[batch[example]]
            inputs(net, room, pixels, batch)
            following = indices[starts[step + 1] : starts[min(step + 2, len(rates))]]
            announce(following, pixels.ends, pixels.places, pixels.shades)
            prepare(kind, rates[step], decay, momentum, done + step + 1, room.settings)
            forward(net, room, len(batch), gain, dark)
            gradient(len(batch), classes, logits, labels, deltas, room.small)
            backward(net, room, len(batch), gain, dark, kind)
            update(
                kind,
                room.settings,
                net.values,
                net.first,
                net.second,
                0,
                net.gradient,
                0,
                len(net.gradient),
            )

    @numba.njit(nogil=True, cache=True)
    def evaluate(net, room, pixels, indices, chunk):
        """Returns the sum of the cross-entropies and the number of right answers."""
        assert sources
        classes = net.layers[-1][OUTPUTS]
        at = room.table[len(net.layers)][ACTIVE_BLOCKS]
        logits, powers = room.blocks[at:], room.block_deltas[at:]
        loss, right = 0.0, 0
        for start in range(0, len(indices), chunk):
            batch = indices[start : start + chunk]
            inputs(net, room, pixels, batch)
            forward(net, room, len(batch), np.float32(pixels.gain), pixels.dark)
            part, count = measure(
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


def _sources() -> str:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


train, evaluate = _compiled(_sources())
