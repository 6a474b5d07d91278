"""The two compiled entries for residual networks; ``kernels.program`` has the others."""

from __future__ import annotations

from functools import partial

import numpy as np

from lttune.training.engines.sparse.instructions.cache import entry, sources_digest
from lttune.training.engines.sparse.kernels.backward_pass import backward
from lttune.training.engines.sparse.kernels.forward_pass import forward
from lttune.training.engines.sparse.kernels.loss import loss_and_right, loss_gradient
from lttune.training.engines.sparse.kernels.optimizers import prepare, update
from lttune.training.engines.sparse.kernels.weight_sparse import BLOCK
from lttune.training.engines.sparse.memory import ACTIVE_BLOCKS, BIAS, OUTPUTS
from lttune.training.engines.sparse.residual.kernels import backward_pass, forward_pass

_entry = partial(entry, compiled_by="lttune.training.engines.sparse.residual.session")


def _compiled(digest: str):
    @_entry
    def train(res, album, net, room, gallery, indices, starts, rates, done, rule):
        """Takes a step for each batch, after ``done`` others; ``rule`` is kind, decay, momentum."""
        assert digest
        kind, decay, momentum = rule
        classes, one = net.layers[-1][OUTPUTS], np.float32(1)
        at = room.table[len(net.layers)][ACTIVE_BLOCKS]
        logits, deltas = room.blocks[at:], room.block_deltas[at:]
        for step in range(len(rates)):
            batch = indices[starts[step] : starts[step + 1]]
            for example in range(len(batch)):
                room.labels[example] = gallery.labels[batch[example]]
            prepare(kind, rates[step], decay, momentum, done + step + 1, room.settings)
            forward_pass.forward(res, album, net, room, batch, gallery)
            forward(net, room, len(batch), one, 0.0, 1)
            loss_gradient(len(batch), classes, logits, room.labels, deltas, room.small)
            backward(net, room, len(batch), one, 0.0, kind, 1)
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
            backward_pass.backward(res, album, room, len(batch))
            update(
                kind,
                room.settings,
                res.values,
                res.first,
                res.second,
                0,
                res.gradient,
                0,
                len(res.gradient),
            )

    @_entry
    def evaluate(res, album, net, room, gallery, indices, chunk):
        """Returns the sum of the cross-entropies and the number of right answers."""
        assert digest
        classes = net.layers[-1][OUTPUTS]
        at = room.table[len(net.layers)][ACTIVE_BLOCKS]
        logits, powers = room.blocks[at:], room.block_deltas[at:]
        loss, right = 0.0, 0
        forward_pass.fold_nodes(res, album)
        for start in range(0, len(indices), chunk):
            batch = indices[start : start + chunk]
            forward_pass.forward_folded(res, album, net, room, batch, gallery)
            forward(net, room, len(batch), np.float32(1), 0.0, 1)
            part, found = loss_and_right(
                len(batch),
                classes,
                logits,
                gallery.labels[start : start + chunk],
                powers,
                room.small,
                room.small[BLOCK:],
            )
            loss, right = loss + part, right + found
        return loss, right

    return train, evaluate


train, evaluate = _compiled(sources_digest())
