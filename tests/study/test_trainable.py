"""What a Ray worker runs, without Ray."""

import errno
import subprocess
import sys
import time

import pytest

from lttune.config import DataConfig, LotteryConfig, ModelConfig, TrainConfig
from lttune.data import load
from lttune.errors import ResourceError
from lttune.records.objectives import ObjectiveConfig
from lttune.store.files import flush
from lttune.store.store import Store
from lttune.study.workers.trainable import LotteryTrainable

TINY = LotteryConfig(
    levels=3,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-40-20"),
    train=TrainConfig(lr=5e-3, steps=20, eval_every=10, eval_train=0),
)
CONFIG = {
    "lottery": TINY.nested(),
    "hparams": {},
    "replicates": [0],
    "controls": [],
    "control_densities": [],
}


def worker(folder, *, stops, config=CONFIG, codes=()):
    made = LotteryTrainable.__new__(LotteryTrainable)
    made.setup(
        config,
        datasets={"digits": load("digits")},
        store=str(folder),
        seed=0,
        device="cpu",
        engine="torch",
        objective=ObjectiveConfig(density=0.6),
        stops=stops,
        codes=codes,
    )
    return made


def reports(made):
    found = [made.step()]
    while not found[-1]["done"]:
        found.append(made.step())
    return found


def slow(path):
    time.sleep(0.05)
    flush(path)


def test_the_last_report_says_that_all_is_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("lttune.store.store.flush", slow)
    found = reports(worker(tmp_path, stops=False))
    assert [report["level"] for report in found] == [0, 1, 2, 3]
    keys = [row["cell"] for report in found for row in report["rows"]]
    assert all(Store(tmp_path).read(key) for key in keys)


def test_a_level_that_may_be_the_last_is_reported_when_it_is_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("lttune.store.store.flush", slow)
    made = worker(tmp_path, stops=True)
    for report in (made.step(), made.step()):
        assert all(Store(tmp_path).read(row["cell"]) for row in report["rows"])


@pytest.mark.parametrize("stops", [True, False])
def test_a_full_disk_fails_the_trial_that_met_it_and_no_other(stops, tmp_path, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    made = worker(tmp_path, stops=stops)
    monkeypatch.setattr("lttune.store.store.flush", full)
    assert "No space left" in reports(made)[-1]["error"]
    monkeypatch.undo()
    assert made.reset_config(CONFIG)
    assert reports(made)[-1]["values"]


def test_a_worker_finds_the_same_whether_it_writes_behind_or_not(tmp_path):
    cells = [
        [
            row["cell"]
            for report in reports(worker(tmp_path / name, stops=stops))
            for row in report["rows"]
        ]
        for name, stops in (("behind", False), ("at once", True))
    ]
    assert cells[0] == cells[1]
    one, other = (Store(tmp_path / name) for name in ("behind", "at once"))
    for key in cells[0]:
        for file in ("record.json", "tensors.safetensors"):
            assert (one.path(key) / file).read_bytes() == (other.path(key) / file).read_bytes()


def test_a_worker_that_cannot_be_made_is_a_report_and_is_made_for_the_next_trial(
    tmp_path, monkeypatch
):
    def absent(name, device):
        raise ResourceError(f"{device} is not here")

    monkeypatch.setattr("lttune.training.engines.make", absent)
    made = worker(tmp_path, stops=False)
    failed = reports(made)[-1]
    assert failed["error"] == "ResourceError: cpu is not here"
    assert "absent" in failed["traceback"]
    monkeypatch.undo()
    assert made.reset_config(CONFIG)
    assert reports(made)[-1]["values"]


@pytest.mark.parametrize("stops", [True, False])
def test_an_error_is_a_report_and_the_next_trial_goes_on(stops, tmp_path):
    made = worker(tmp_path, stops=stops, config={**CONFIG, "controls": ["unknown"]})
    failed = reports(made)[-1]
    assert "unknown" in failed["error"]
    assert "test_trainable" not in failed["traceback"]
    assert made.reset_config(CONFIG)
    assert reports(made)[-1]["values"]


@pytest.mark.slow
def test_a_worker_imports_with_its_package_no_library_of_the_search():
    heavy = "optuna", "scipy.stats", "pandas", "torch", "ray", "mlflow"
    code = f"import sys, lttune.study; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
