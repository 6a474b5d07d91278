"""Measurements of one's own: whose key they are in, and what goes without their code."""

from __future__ import annotations

import pytest
import torch
from measures import SEEN, SHORT, cell, giving, measuring, plain
from one_worker import CONFIG, reports, worker
from own_parts import code_of, described, forget, rows

from lttune.config import TrainConfig
from lttune.data import load
from lttune.errors import StorageError
from lttune.records.own import known_part
from lttune.study.phases.estimate import PACE_STEPS, measured
from lttune.trajectory.identity import of_training
from lttune.trajectory.measurements.own import MEASURE


def test_the_key_has_the_digest_of_the_code_and_neither_path_nor_order(tmp_path):
    one, two = (giving(tmp_path, "{'x': 1}", file=f) for f in ("one.py", "two.py"))
    other = giving(tmp_path, "{'y': 2}", file="other.py")
    assert "measure" not in of_training(TrainConfig())
    (found,) = of_training(TrainConfig(measure=(one,)))["measure"]
    assert found == {"measure": "part", "measure_source": known_part(MEASURE, one).source}
    assert of_training(TrainConfig(measure=(one,))) == of_training(TrainConfig(measure=(two,)))
    both = of_training(TrainConfig(measure=(one, other)))
    assert both == of_training(TrainConfig(measure=(other, one)))
    assert both != of_training(TrainConfig(measure=(one,)))
    first = rows(SHORT.override({MEASURE: (one, other)}), tmp_path / "cells", ("reinit",))
    again = rows(SHORT.override({MEASURE: (other, two)}), tmp_path / "cells", ("reinit",))
    assert not any(row["reused"] for row in first)
    assert all(row["reused"] for row in again)
    assert plain(first) == plain(again)


def test_what_it_draws_is_the_same_whenever_a_network_is_trained(tmp_path):
    config = SHORT.override({MEASURE: (giving(tmp_path, "float(torch.rand(()))"),)})
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    found = [rows(config, tmp_path / f"{n}", ("reinit",)) for n in range(2)]
    assert torch.equal(torch.rand(3), expected)
    draws = [
        [cell(row, tmp_path / f"{n}").record["history"] for row in each]
        for n, each in enumerate(found)
    ]
    assert draws[0] == draws[1]
    dense, ticket, control = ([e["measured"]["part"] for e in entries] for entries in draws[0])
    # Branches of a level are paired; steps and levels are not.
    assert ticket == control
    assert len({*dense, *ticket}) == 2 * 3


def test_pretraining_is_not_measured_and_shared_with_those_that_measure_nothing(tmp_path):
    config = SHORT.override({"pretrain.steps": 5})
    name = giving(tmp_path, "float(step)")
    rows(config, tmp_path / "cells")
    before = {path.name for path in (tmp_path / "cells").glob("??/*")}
    rows(config.override({MEASURE: (name,)}), tmp_path / "cells")
    after = {path.name for path in (tmp_path / "cells").glob("??/*")}
    assert (len(before), len(after)) == (3, 5)


def test_a_worker_needs_no_file(tmp_path, monkeypatch):
    code = code_of(tmp_path, MEASURE, "def part(step, network):\n    return float(step)\n")
    (tmp_path / "own.py").unlink()
    forget(monkeypatch)
    config = {**CONFIG, "lottery": SHORT.override({MEASURE: (code.name,)}).nested()}
    found = reports(worker(tmp_path / "cells", stops=False, config=config, codes=[code]))
    assert [row["end_measured.part"] for report in found for row in report["rows"]] == [20, 20]


def test_one_that_fails_in_the_middle_fails_its_trial_with_the_reason(tmp_path):
    source = "def part(step, network):\n    assert step < 20, 'late'\n    return 1.0\n"
    code = code_of(tmp_path, MEASURE, source)
    config = {**CONFIG, "lottery": SHORT.override({MEASURE: (code.name,)}).nested()}
    failed = reports(worker(tmp_path / "cells", stops=False, config=config, codes=[code]))[-1]
    why = "cannot be used: AssertionError: late (own.py, line 2)"
    assert failed["error"] == f"ConfigError: train.measure: {code.name} {why}"


def test_who_only_reads_walks_a_measured_trajectory_without_its_code(tmp_path, monkeypatch):
    name = giving(tmp_path, "float(step)")
    config = SHORT.override({MEASURE: (name,)})
    expected = rows(config, tmp_path / "cells", ("reinit",))
    described(monkeypatch, MEASURE, name)
    found = rows(config, tmp_path / "cells", ("reinit",))
    assert [{**row, "reused": False} for row in found] == expected
    with pytest.raises(StorageError, match=r"needs the code of '.*giving\.py:part', which no"):
        rows(config, tmp_path / "none")


def test_a_plan_counts_the_time_that_it_takes(tmp_path):
    name = giving(tmp_path, "time.sleep(0.5) or 1.0", "import time")
    pace = measured(
        SHORT.override({MEASURE: (name,)}), {"digits": load("digits")}, "torch", "cpu", 0.0
    )
    assert min(pace.evaluation_s) > 0.5
    # Both measurements in the time of the steps would be more.
    assert 2 * 0.5 / PACE_STEPS > 0.02
    assert max(pace.step_s) < 0.02


def test_who_sees_another_mask_is_measured_again(tmp_path):
    # The dense network is the same whatever may be pruned; what its mask has is not.
    config = SHORT.override({MEASURE: (measuring(tmp_path, SEEN, "seen"),)})
    some = config.override({"prune.exclude": ("out",)})
    for one in (config, some):
        found = rows(one, tmp_path / "cells")
        assert [row["measured.kept"] for row in found] == [row["surviving"] for row in found]
    unmeasured = SHORT.override({"prune.exclude": ("out",)})
    keys = [rows(one, tmp_path / "plain")[0]["cell"] for one in (SHORT, unmeasured)]
    assert keys[0] == keys[1]
