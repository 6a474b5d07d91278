"""One optimizer step over a run of consecutive parameters, with PyTorch's algebra."""

from __future__ import annotations

import math

import numpy as np

from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.registers import load, root, splat, store, zeros16

SGD, MOMENTUM, ADAM, ADAMW = range(4)
RULE_KINDS = {"sgd": SGD, "momentum": MOMENTUM, "adam": ADAM, "adamw": ADAMW}
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
RATE, DECAY, MOMENTUM_FACTOR, STEP_SIZE, ROOT_CORRECTION = range(5)
"""Places in the float32 array of what a step needs."""


@kernel()
def prepare(kind, rate, decay, momentum, number, settings):
    """Writes what step ``number``, counted from 1, needs."""
    settings[RATE], settings[DECAY], settings[MOMENTUM_FACTOR] = rate, decay, momentum
    if kind == ADAMW:
        settings[DECAY] = 1.0 - rate * decay
    settings[STEP_SIZE] = rate / (1.0 - BETA1**number)
    settings[ROOT_CORRECTION] = 1.0 / math.sqrt(1.0 - BETA2**number)


@kernel(forceinline=True)
def numbers(settings):
    """Returns registers of what ``step`` needs: rate, decay, factor, step size and correction."""
    like = zeros16()
    return (
        splat(like, settings[RATE]),
        splat(like, settings[DECAY]),
        splat(like, settings[MOMENTUM_FACTOR]),
        splat(like, settings[STEP_SIZE]),
        splat(like, settings[ROOT_CORRECTION]),
    )


@kernel(forceinline=True)
def step(kind, needs, values, first, second, at, g):
    """Updates 16 parameters from ``at`` by their gradients.

    A parameter of zero whose gradients are zero stays exactly zero. ``first`` and ``second`` hold
    the moments; momentum's buffer is ``first``.
    """
    rate, decay, factor, size, correction = needs
    w = load(g, values, at)
    if kind >= ADAM:
        fresh1, fresh2 = splat(g, np.float32(1 - BETA1)), splat(g, np.float32(1 - BETA2))
        stay2, eps = splat(g, np.float32(BETA2)), splat(g, np.float32(EPS))
        if kind == ADAM:
            g = decay * w + g
        else:
            w = w * decay
        m, v = load(g, first, at), load(g, second, at)
        m = (g - m) * fresh1 + m
        v = v * stay2 + g * g * fresh2
        store(first, at, m)
        store(second, at, v)
        store(values, at, w - size * m / (root(v) * correction + eps))
    else:
        g = decay * w + g
        if kind == MOMENTUM:
            g = load(g, first, at) * factor + g
            store(first, at, g)
        store(values, at, w - rate * g)


@kernel()
def update(kind, settings, values, first, second, at, gradient, source, count):
    """Updates ``count`` parameters from ``at`` (a multiple of 16) by gradients from ``source``."""
    needs = numbers(settings)
    for place in range(0, count, 16):
        g = load(zeros16(), gradient, source + place)
        step(kind, needs, values, first, second, at + place, g)
