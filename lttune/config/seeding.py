"""One named random stream per (seed, replicate, purpose, level); the global one is never used.

Streams are NumPy generators seeded with 256 bits of SHA-256, so that two names never share a
stream and the order in which streams are made changes nothing. The same replicate has the same
split, initialisation and data order in every trial: common random numbers across trials.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, replicate: int, purpose: str, level: int = 0) -> np.random.Generator:
    """Returns the generator of one purpose, e.g. ``stream(0, 2, "order", 5)``.

    Args:
        seed: root of every stream of a study, >= 0.
        replicate: index of the independent repetition, >= 0.
        purpose: what is drawn: "split", "init", "order", "reinit", "random_mask", ...
        level: pruning round that the draw belongs to; 0 is the dense network.
    """
    name = f"lttune|{seed}|{replicate}|{purpose}|{level}".encode()
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name).digest(), "big"))


def integer(seed: int, purpose: str, index: int = 0) -> int:
    """Returns a 31-bit seed for a library that wants one (an Optuna sampler, say)."""
    name = f"lttune|{seed}|{purpose}|{index}".encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:4], "big") >> 1
