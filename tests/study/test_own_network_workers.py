"""Ray's workers get the code of a network of one's own, wherever they are."""

from __future__ import annotations

import pytest
import ray
from one_worker import CONFIG, TINY, reports, worker
from own_networks import MLP, left, page_block, run, written

from lttune.models.architectures import FAMILIES
from lttune.models.own import NETWORK, read_code
from lttune.records.own import OwnCode
from lttune.records.schema import read
from lttune.study import conductor


def trial(name):
    """Returns the configuration of a trial of a network."""
    lottery = TINY.override({"model.name": name, "levels": 1})
    return {**CONFIG, "lottery": lottery.nested()}


def test_a_worker_needs_no_file(tmp_path, monkeypatch):
    name = written(tmp_path, MLP)
    code = read_code(name)
    (tmp_path / "net.py").unlink()
    monkeypatch.delitem(FAMILIES, name, raising=False)
    found = reports(worker(tmp_path / "cells", stops=False, config=trial(name), codes=[code]))
    assert [report["level"] for report in found] == [0, 1]
    assert found[-1]["values"]


def test_a_machine_with_another_package_fails_the_trial_with_the_reason(tmp_path):
    name = "torchvision:squeezenet1_1"
    code = OwnCode(field=NETWORK, name=name, digest="0" * 64)
    FAMILIES.pop(name, None)
    made = worker(tmp_path / "cells", stops=False, config=trial(name), codes=[code])
    failed = reports(made)[-1]
    assert failed["error"] == (
        "ResourceError: model.name: torchvision here is not the one that the study began with; "
        "install the same on every machine"
    )


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_rays_workers_train_a_network_whose_file_is_gone(tmp_path, monkeypatch, ray_address):
    monkeypatch.chdir(tmp_path)
    for name in ("patches.py", "my_study.py"):
        (tmp_path / name).write_text(page_block(name))
    start_ray = conductor.start_ray

    def started(config):
        # What was read before is all that there is.
        (tmp_path / "patches.py").unlink()
        return start_ray(config)

    monkeypatch.setattr(conductor, "start_ray", started)
    flags = ["--address", ray_address, "--replicates", "1", "--controls", "reinit"]
    flags += ["--tracking-uri", "sqlite:///results/mlflow.db"]
    code, said = run(tmp_path, *flags, alone=False)
    assert code == 0, said
    assert not ray.is_initialized()
    rows = read(tmp_path / "results" / "patches" / "layers.parquet")
    kept = [row["surviving"] for row in rows if row["layer"] == "attention:in_proj_weight"]
    assert kept == [left(96 * 32, "0.3", level) for level in range(4)]
