"""What a Ray worker runs, without Ray."""

import dataclasses
import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from one_worker import CONFIG, reports, worker
from own_parts import code_of, forget

from lttune.errors import REFUSING, ConfigError, ResourceError
from lttune.records.objectives import ObjectiveConfig
from lttune.records.own import OBJECTIVE
from lttune.store.files import flush
from lttune.store.store import Store
from lttune.study.workers.cause import cause_of, to_mend


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


SO_FAR = "def part(rows, classes):\n    return 100.0 * len(rows) + classes\n"


@pytest.mark.parametrize("stops", [True, False])
def test_a_worker_needs_no_file_of_an_objective_and_judges_where_trials_are_stopped(
    stops, tmp_path, monkeypatch
):
    code = code_of(tmp_path, OBJECTIVE, SO_FAR)
    (tmp_path / "own.py").unlink()
    forget(monkeypatch)
    objective = ObjectiveConfig(name=code.name, direction="maximize", density=0.6)
    asked = {"stops": stops, "codes": [code], "objective": objective}
    found = reports(worker(tmp_path / "cells", **asked))
    so_far = [110.0, 210.0, 310.0, 410.0] if stops else [None] * 4
    assert [report.get("so_far") for report in found] == so_far
    assert [report.get("values") for report in found] == [None, None, None, [410.0]]


def test_no_level_is_judged_by_an_objective_of_the_table(tmp_path):
    assert not any("so_far" in report for report in reports(worker(tmp_path, stops=True)))


@pytest.mark.parametrize("stops", [True, False])
@pytest.mark.parametrize("number", REFUSING)
def test_a_full_disk_fails_the_trial_that_met_it_and_no_other(number, stops, tmp_path, monkeypatch):
    def full(path):
        raise OSError(number, os.strerror(number))

    made = worker(tmp_path, stops=stops)
    monkeypatch.setattr("lttune.store.store.flush", full)
    failed = reports(made)[-1]
    assert os.strerror(number) in failed["error"]
    assert failed["refused"].startswith(f"{tmp_path} cannot be written: {os.strerror(number)}; ")
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
    assert "refused" not in failed
    assert "test_trainable" not in failed["traceback"]
    assert made.reset_config(CONFIG)
    assert reports(made)[-1]["values"]


LOST = {
    "no memory": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "lost": RuntimeError("CUDA error: unspecified launch failure"),
}


@pytest.mark.parametrize("kind", LOST)
def test_a_device_that_fails_is_the_trials_failure_and_nothing_is_trained_on_another(
    kind, tmp_path, monkeypatch
):
    made = worker(tmp_path, stops=False)
    assert made.step()["level"] == 0
    assert made.lab is not None
    engine, asked = made.lab.engine, []

    def failing(members):
        asked.append(members)
        raise LOST[kind]

    with monkeypatch.context() as patch:
        patch.setattr(engine, "train", failing)
        last = made.step()
    assert (last["error"], last["done"]) == (f"{type(LOST[kind]).__name__}: {LOST[kind]}", True)
    assert "Traceback" in last["traceback"]
    assert len(asked) == 1
    made.lab.store.settle()
    assert len(list(tmp_path.glob("??/*/seal.json"))) == 1
    assert made.lab.engine is engine
    # A device that is there again is used for the next.
    assert made.reset_config(CONFIG)
    assert reports(made)[-1]["values"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="it is there")
def test_a_worker_without_the_device_that_was_asked_for_trains_nothing(tmp_path):
    made = worker(tmp_path, stops=False, device="cuda")
    (last,) = reports(made)
    assert last["error"].startswith("ResourceError: device must be cpu here: 'cuda' was asked for")
    assert not tmp_path.exists() or not list(tmp_path.glob("??/*"))


REFUSED = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "MemoryError"),
        (np.linalg.LinAlgError("singular"), None),
        (RuntimeError(f"[enforce fail] {REFUSED}"), f"RuntimeError: [enforce fail] {REFUSED}"),
    ],
)
def test_where_memory_ran_out_the_cause_says_how_much_there_was(error, told):
    text = cause_of(error)
    if told is None:
        assert text == "LinAlgError: singular"
    else:
        found = re.fullmatch(r"out of memory, with ([\d,]+) MB in use at the most: (.*)", text)
        assert found
        assert found[2] == told
        assert int(found[1].replace(",", "")) > 50


LATE = """
import torch
from torch import nn

CALLS = []

class Late(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.out = nn.Linear(shape[1] * shape[2], classes)

    def forward(self, pictures):
        CALLS.append(1)
        if len(CALLS) > 31:
            raise {}
        return self.out(pictures.flatten(1))

def part(shape, classes):
    return Late(shape, classes)
"""


@pytest.mark.parametrize(
    ("field", "source", "is_to_mend"),
    [
        ("train.measure", "def part(step, seen):\n    return {'a': 1 // (31 - step)}\n", False),
        ("train.measure", "def part(step, seen):\n    return 1 / 0 if step else 1.0\n", True),
        ("train.measure", "def part(step, seen):\n    return 'x' if step else 1.0\n", True),
        ("objective.name", "def part(rows, classes):\n    raise ValueError\n", True),
        ("model.name", LATE.format("ValueError('late')"), True),
        ("model.name", LATE.format("MemoryError"), False),
        ("model.name", LATE.format("torch.OutOfMemoryError('CUDA out of memory.')"), False),
    ],
)
def test_what_fails_in_a_part_of_ones_own_names_it(field, source, is_to_mend, tmp_path):
    code = code_of(tmp_path, field, source)
    asked = {"codes": [code]}
    if field == "objective.name":
        asked["objective"] = ObjectiveConfig(name=code.name, direction="maximize")
    else:
        value = [code.name] if field == "train.measure" else code.name
        asked["config"] = {**CONFIG, "hparams": {**CONFIG["hparams"], field: value}}
    last = reports(worker(tmp_path / "cells", stops=False, **asked))[-1]
    assert last.get("to_mend") == (code.name if is_to_mend else None)
    assert ("error" in last) is ("31 - step" not in source)


def test_what_a_user_cannot_mend_is_not_asked_of_him(tmp_path):
    code = code_of(tmp_path, "model.name", "def part(): pass")
    known = [dataclasses.replace(code, name="torchvision:resnet18")]
    error = ConfigError("model.name: torchvision:resnet18 cannot be made")
    assert to_mend(error, known) is None
    assert to_mend(ConfigError(f"model.name: {code.name} cannot be made"), [code]) == code.name
    assert to_mend(ConfigError("levels must be 1, got 2"), [code]) is None
    full = OSError(next(iter(REFUSING)), "full")
    assert to_mend(full, [code]) is None


@pytest.mark.slow
def test_a_worker_imports_with_its_package_no_library_of_the_search():
    heavy = "optuna", "scipy.stats", "pandas", "torch", "ray", "mlflow"
    code = f"import sys, lttune.study; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
