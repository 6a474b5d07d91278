"""Replicates are added to a study on the command line until its claims are decided."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import lttune
from analysis.frame import load

ROOT = Path(lttune.__file__).parents[1]
CLAIMS = """
schema: 1
version: "1"
defaults: {margin: 0.1, sesoi: 0.01, alpha: 0.05}
settings:
  digits:
    {data.name: digits, model.name: lenet-40-20, train.steps: 150, train.eval_every: 25,
     train.batch_size: 60, train.lr: 1.2e-3, prune.fraction: 0.2, prune.fractions.fc1: 0.2,
     prune.fractions.fc2: 0.2, prune.fractions.out: 0.1}
claims:
  - id: RATE
    source: nowhere
    text: A higher rate is no worse.
    network: lenet-40-20
    dataset: digits
    densities: "64 %"
    setting: digits
    form: no_worse
    family: rate
    role: confirmatory
    tier: A
    n: 6
    cost: none
    study: none
    questions:
      - name: no worse
        reads: val_accuracy
        densities: [0.65]
        cells:
          - {name: high, at: {train.lr: 3.0e-3}}
          - {name: plain, weight: -1}
"""
STUDY = """
import sys
from pathlib import Path

from lttune.config.design import Point
from lttune.config.presets import LENET_300_100
from lttune.records.objectives import ObjectiveConfig
from lttune.study import Study, StudyConfig, main
from analysis import lock_claims, write_report

SMALL = {"data.name": "digits", "model.name": "lenet-40-20", "levels": 2, "train.steps": 150}
SMALL |= {"train.eval_every": 25, "train.eval_test": False, "train.eval_train": 100}
HIGH = Point(hparams={"train.lr": 3e-3}, replicates=(0, 1), role="sweep", label="lr=0.003")
CONFIG = StudyConfig(
    name="tiny", phases=("anchor", "sweep"), replicates=2, controls=(),
    objective=ObjectiveConfig(density=0.7), lottery=LENET_300_100.override(SMALL),
)
STUDY = Study(
    question="Is it no worse?", source="nowhere", scales={"smoke": CONFIG}, space={},
    file=Path(__file__), points={"smoke": {"sweep": [HIGH]}}, prepare=lock_claims,
)
if __name__ == "__main__":
    sys.exit(main(STUDY, write_report, "Tiny."))
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_replicates_are_added_until_claims_are_decided(tmp_path):
    (tmp_path / "claims.yaml").write_text(CLAIMS)
    (tmp_path / "tiny.py").write_text(STUDY)

    def run(*words):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    own, folder = ("--file", "claims.yaml"), tmp_path / "results/tiny"
    claims = ("-m", "lttune", "claims")
    lock = folder / "claims.lock.json"
    assert (
        run(*claims, "lock", "--sequential", "--n", "20", "--out", str(lock), *own).returncode == 0
    )
    assert json.loads(lock.read_text())["rule"] == "sequential"
    began = run("tiny.py")
    assert began.returncode == 0, began.stderr
    refused = run(*claims, "decide", "results/tiny", "--budget", "4m", *own)
    assert refused.returncode == 2
    assert "--script must be given with decide" in refused.stderr
    plan = run(*claims, "decide", "results/tiny", "--plan", *own)
    assert (
        "RATE (150 steps, lenet-40-20, digits, batch 60): open after 2 of at most 20" in plan.stdout
    )
    assert len(load(folder).trials) == 4
    asked = ("decide", "results/tiny", "--script", "tiny.py", "--budget", "4m", *own)
    done = run(*claims, *asked)
    assert done.returncode == 0, done.stderr
    assert "RATE (150 steps, lenet-40-20, digits, batch 60): supported" in done.stdout
    assert "1 decided, 0 open" in done.stdout
    trained = load(folder)
    assert 10 <= len(trained.trials) <= 40
    assert trained.trials["phase"].value_counts().nunique() == 1
    # Given again it has nothing to do.
    again = run(*claims, *asked)
    assert "piece" not in again.stdout
    assert len(load(folder).trials) == len(trained.trials)
