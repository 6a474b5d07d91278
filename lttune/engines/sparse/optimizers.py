"""One optimizer step over a run of consecutive parameters, with PyTorch's algebra."""

from __future__ import annotations

import math

import numba
import numpy as np

from lttune.engines.sparse.registers import load, root, splat, store, zeros16

SGD, MOMENTUM, ADAM, ADAMW = range(4)
KINDS = {"sgd": SGD, "momentum": MOMENTUM, "adam": ADAM, "adamw": ADAMW}
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
RATE, DECAY, MOMENTUM_FACTOR, STEP_SIZE, ROOT_CORRECTION = range(5)
"""Places in the float32 array of what a step needs."""


@numba.njit(nogil=True)
def prepare(kind, rate, decay, momentum, step, settings):
    """Writes what step number ``step``, counted from 1, needs."""
    settings[RATE], settings[DECAY], settings[MOMENTUM_FACTOR] = rate, decay, momentum
    if kind == ADAMW:
        settings[DECAY] = 1.0 - rate * decay
    settings[STEP_SIZE] = rate / (1.0 - BETA1**step)
    settings[ROOT_CORRECTION] = 1.0 / math.sqrt(1.0 - BETA2**step)


@numba.njit(nogil=True)
def update(kind, settings, values, first, second, at, gradient, source, count):
    """Updates ``count`` parameters from ``at`` (a multiple of 16) by gradients from ``source``.

    A parameter of zero whose gradients are zero stays exactly zero. ``first`` and ``second`` hold
    the moments; momentum's buffer is ``first``.
    """
    like = zeros16()
    rate, decay = splat(like, settings[RATE]), splat(like, settings[DECAY])
    if kind >= ADAM:
        size, correction = splat(like, settings[STEP_SIZE]), splat(like, settings[ROOT_CORRECTION])
        fresh1, fresh2 = splat(like, np.float32(1 - BETA1)), splat(like, np.float32(1 - BETA2))
        stay2, eps = splat(like, np.float32(BETA2)), splat(like, np.float32(EPS))
        for step in range(0, count, 16):
            w, g = load(like, values, at + step), load(like, gradient, source + step)
            if kind == ADAM:
                g = decay * w + g
            else:
                w = w * decay
            m, v = load(like, first, at + step), load(like, second, at + step)
            m = (g - m) * fresh1 + m
            v = v * stay2 + g * g * fresh2
            store(first, at + step, m)
            store(second, at + step, v)
            store(values, at + step, w - size * m / (root(v) * correction + eps))
        return
    factor = splat(like, settings[MOMENTUM_FACTOR])
    for step in range(0, count, 16):
        w, g = load(like, values, at + step), load(like, gradient, source + step)
        g = decay * w + g
        if kind == MOMENTUM:
            g = load(like, first, at + step) * factor + g
            store(first, at + step, g)
        store(values, at + step, w - rate * g)
