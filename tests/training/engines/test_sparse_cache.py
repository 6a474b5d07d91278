"""Kernels give the same bytes in the process that first needs them and in all later ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
