"""Kernels give the same bytes in the process that first needs them and in all later ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TRAINED = """
import hashlib, sys, torch
from lttune.training.engines.sparse.engine import SparseEngine
sys.path.insert(0, "tests/helpers")
from stacking import NETWORK, POOL, TEST, ticket
from lttune.config import TrainConfig
weights, mask = ticket(0.9)
session = SparseEngine().open(NETWORK, weights, mask, TrainConfig())
order = torch.arange(600).split(60)
session.run(POOL, order * 30, [1e-2] * 300)
digest = hashlib.sha256(b"".join(w.numpy().tobytes() for w in session.weights().values()))
print(digest.hexdigest(), session.evaluate(TEST))
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_first_process_on_a_machine_finds_what_later_ones_find(tmp_path):
    pytest.importorskip("numba")
    done = [
        subprocess.run(
            [sys.executable, "-c", TRAINED],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=False,
        )
        for _ in range(2)
    ]
    assert [one.returncode for one in done] == [0, 0], done[0].stderr
    assert len(list(tmp_path.rglob("*.nbi"))) == 2
    assert done[0].stdout == done[1].stdout
