"""Kernels give the same bytes in the process that first needs them, in all later ones, and ever."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sparse_steps import OPTIMIZERS, batches, random_mask, start_of

TRAINED = """
import hashlib, os, sys, torch
sys.path.insert(0, "tests/helpers")
from stacking import NETWORK, POOL, TEST, ticket
from lttune.config import TrainConfig

def train():
    from lttune.training.engines.sparse.engine import SparseEngine
    weights, mask = ticket(0.9)
    session = SparseEngine().open(NETWORK, weights, mask, TrainConfig())
    order = torch.arange(600).split(60)
    session.run(POOL, order * 30, [1e-2] * 300)
    digest = hashlib.sha256(b"".join(w.numpy().tobytes() for w in session.weights().values()))
    print(digest.hexdigest(), session.evaluate(TEST), flush=True)

for _ in range(2):
    assert "numba" not in sys.modules
    if not (child := os.fork()):
        train()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""
"""Does it in two processes, one after the other, that share what they import before any kernel."""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_first_process_on_a_machine_finds_what_later_ones_find(tmp_path):
    pytest.importorskip("numba")
    done = subprocess.run(
        [sys.executable, "-c", TRAINED],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.rglob("*.nbi"))) == 2
    first, later = done.stdout.splitlines()
    assert first == later


KEPT = "7a1d44fd6ff32b20e8b9f676a31c5de73ec18ed1168041181c9a45231b618cdf"
"""Of kernels 2 before there were convolutions; the same with AVX2 and with AVX-512."""


def digest(network, examples):
    """Of weights after steps of SGD and momentum, dense, at .3 and at .05."""
    from lttune.training.engines.sparse.engine import SparseEngine

    found, order = hashlib.sha256(), [*batches(20, 60), *batches(1, 7)]
    for density in (1.0, 0.3, 0.05):
        for config in OPTIMIZERS[:2]:
            mask = random_mask(network, density)
            session = SparseEngine().open(network, start_of(network), mask, config)
            session.run(examples, order, [1e-2] * len(order))
            for value in session.weights().values():
                found.update(value.numpy().tobytes())
    return found.hexdigest()


@pytest.mark.timeout(180)
def test_kernels_of_linear_layers_give_the_bytes_they_gave(network, examples):
    pytest.importorskip("numba")
    from lttune.training.engines.sparse.engine import KERNELS, SparseEngine

    numerics = SparseEngine().numerics
    if "numba-0.68" not in numerics or "+fma" not in numerics:
        pytest.skip("another compiler or another kind of CPU rounds otherwise")
    assert KERNELS == 2
    assert digest(network, examples) == KEPT


OWN = """
from functools import partial
from typing import NamedTuple

from lttune.training.engines.sparse.instructions.cache import entry


class {name}(NamedTuple):
    a: float
    b: float


@partial(entry, compiled_by="own_kernels")
def total(pair):
    return pair.a + pair.b


def compile_kernels():
    print(total({name}(1.0, 2.0)))
"""
"""A module with an entry whose argument is of a type of that name."""


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_what_a_version_with_other_names_left_is_compiled_anew(tmp_path):
    pytest.importorskip("numba")
    root = Path(__file__).parents[3]
    paths = os.pathsep.join(map(str, (tmp_path, root)))
    env = {**os.environ, "PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-c", "import own_kernels; own_kernels.compile_kernels()"]
    for name in ("Pair", "Couple"):
        (tmp_path / "own_kernels.py").write_text(OWN.format(name=name))
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("3.0\n", "")
        assert len([*tmp_path.rglob("*.nbi")]) == 1
