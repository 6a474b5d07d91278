"""Simulated studies of a known truth, and how often a rule says what of them."""

import math

import numpy as np

SD = 0.1
"""Spread of a paired difference between replicates, in percentage points of accuracy."""
STUDIES = 1000
WORDS = ("supported", "supported, smaller", "contradicted", "inconclusive", "not tested")


def differences(mean, n=5, studies=STUDIES, seed=0):
    return np.random.default_rng(seed).normal(mean, SD, (studies, n))


def sweeps(means, n=8, studies=300, seed=0, sd=SD):
    """Sweeps whose replicates differ far more than the values within a replicate do."""
    rng = np.random.default_rng(seed)
    luck = rng.normal(0, 5, (studies, n, 1))
    return luck + np.asarray(means, float) + rng.normal(0, sd, (studies, n, len(means)))


def gains(means, n=8, studies=300, seed=0):
    """Gains against the replicate's own dense network: luck has cancelled."""
    rng = np.random.default_rng(seed)
    return np.asarray(means, float) + rng.normal(0, SD, (studies, n, len(means)))


def shares(rule, data, **options):
    """Returns how often each word is said."""
    words = [rule(one, **options).verdict for one in data]
    return {name: words.count(name) / len(words) for name in WORDS}


def at_most(share, studies):
    """5 % with three standard errors of the simulation."""
    return share <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / studies)
