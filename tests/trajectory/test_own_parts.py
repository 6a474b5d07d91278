"""What parts of one's own change of a trajectory, and what they do not."""

from __future__ import annotations

import numpy as np
import pytest
from one_worker import CONFIG, TINY, reports, worker
from own_parts import code_of, described, forget, known, rows, same_but

from lttune.config import LotteryConfig, TrainConfig, from_dict
from lttune.data import load, own
from lttune.errors import ConfigError, StorageError
from lttune.models.own import use_described
from lttune.pruning.criteria.own import CRITERION
from lttune.records.own import known_part
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.training.schedule import SCHEDULE, held_at_last, rate
from lttune.trajectory.checks import check_own_parts
from lttune.trajectory.identity import of_training
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial

MAGNITUDE = """
def part(evidence):
    return {name: evidence.trained[name].abs() for name in evidence.mask}
"""
MILESTONES = """
def part(train, step):
    lr = train.lr
    for milestone in train.milestones:
        lr = lr * train.decay if step >= milestone else lr
    return lr * (step + 1) / train.warmup_steps if step < train.warmup_steps else lr
"""


def test_a_criterion_that_says_what_magnitude_says_gives_its_networks(tmp_path):
    name = known(tmp_path, CRITERION, MAGNITUDE)
    controls = ("one_shot", "random")
    plain = rows(TINY, tmp_path / "cells", controls)
    own = rows(TINY.override({CRITERION: name}), tmp_path / "cells", controls)
    assert same_but(own, plain, CRITERION)
    keys = [{row["cell"] for row in found if row["level"] > 0} for found in (plain, own)]
    assert keys[0].isdisjoint(keys[1])


@pytest.mark.parametrize("kept", ["rewind", "continue"])
def test_a_schedule_that_says_what_milestones_say_gives_their_networks(tmp_path, kept):
    name = known(tmp_path, SCHEDULE, MILESTONES)
    changes = {"train.warmup_steps": 5, "train.milestones": (8, 15), "train.decay": 0.3}
    base = TINY.override({**changes, "kept": kept, "levels": 2})
    plain = rows(base, tmp_path / "cells", ("finetune",))
    own = rows(base.override({SCHEDULE: name}), tmp_path / "cells", ("finetune",))
    assert same_but(own, plain, SCHEDULE)
    assert {row["cell"] for row in own}.isdisjoint(row["cell"] for row in plain)


def test_what_a_criterion_draws_is_the_replicates_own_and_the_same_again(tmp_path):
    source = "import torch\ndef part(evidence):\n    return "
    source += "{n: torch.rand(k.shape) for n, k in evidence.mask.items()}"
    config = TINY.override({CRITERION: known(tmp_path, CRITERION, source)})
    lab = Lab({"digits": load("digits")}, TorchEngine(), Store(tmp_path / "one"))
    found = [row for report in run_trial(config, [0, 1], [], lab) for row in report["rows"]]
    again = rows(config, tmp_path / "two")
    assert same_but([row for row in found if row["replicate"] == 0], again)
    last = [row["end_val_loss"] for row in found if row["level"] == config.levels]
    assert len(set(last)) == 2


def test_identities_of_the_tables_rows_are_what_they_were():
    assert of_training(TrainConfig()) == {
        "optimizer": "adam",
        "lr": 1.2e-3,
        "weight_decay": 0.0,
        "warmup_steps": 0,
        "batch_size": 60,
        "steps": 50_000,
        "eval_every": 100,
        "eval_test": True,
        "eval_train": 10_000,
    }


def test_a_schedule_is_written_and_read_again():
    config = LotteryConfig().override({SCHEDULE: "./mine.py:rate"})
    assert config.flat()[SCHEDULE] == "./mine.py:rate"
    assert from_dict(config.nested()) == config
    assert config.override({SCHEDULE: "milestones"}) == LotteryConfig()


def test_all_settings_of_the_training_are_in_the_identity_of_a_schedule(tmp_path):
    name = known(tmp_path, SCHEDULE, MILESTONES)
    one, two = (of_training(TrainConfig(schedule=name, momentum=m)) for m in (0.5, 0.9))
    assert one != two
    assert one["schedule"] == "part"
    assert one["schedule_source"] == known_part(SCHEDULE, name).source


@pytest.mark.parametrize("field", [CRITERION, SCHEDULE])
def test_a_name_that_is_none_is_refused_with_the_nearest(field):
    with pytest.raises(ConfigError, match=rf"^{field} must be one of \./FILE\.py:FUNCTION, "):
        LotteryConfig().override({field: "magnitud"})


@pytest.mark.parametrize("field", [CRITERION, SCHEDULE])
def test_a_part_that_nobody_made_known_is_one_line(field, tmp_path, monkeypatch):
    forget(monkeypatch)
    config = TINY.override({field: "./none.py:part"})
    with pytest.raises(ConfigError, match="must be made known by lttune"):
        rows(config, tmp_path)


@pytest.mark.parametrize(("field", "source"), [(CRITERION, MAGNITUDE), (SCHEDULE, MILESTONES)])
def test_a_worker_needs_no_file(field, source, tmp_path, monkeypatch):
    code = code_of(tmp_path, field, source)
    (tmp_path / "own.py").unlink()
    forget(monkeypatch)
    lottery = TINY.override({field: code.name, "levels": 1})
    config = {**CONFIG, "lottery": lottery.nested()}
    found = reports(worker(tmp_path / "cells", stops=False, config=config, codes=[code]))
    assert [report["level"] for report in found] == [0, 1]
    assert found[-1]["values"]


def test_who_only_reads_has_no_rates_and_trains_nothing(tmp_path, monkeypatch):
    forget(monkeypatch)
    one = {"field": SCHEDULE, "name": "./mine.py:rate", "source": "0" * 64}
    use_described({"own": [one]}, "study.json")
    train = TrainConfig(schedule="./mine.py:rate")
    assert held_at_last(train) == train
    with pytest.raises(StorageError, match=r"needs the code of '\./mine\.py:rate'"):
        rate(train, 0)


def test_a_criterion_that_fails_in_the_middle_fails_its_trial_with_the_reason(tmp_path):
    fails = "    assert all(k.all() for k in evidence.mask.values()), 'late'\n    return"
    code = code_of(tmp_path, CRITERION, MAGNITUDE.replace("    return", fails))
    config = {**CONFIG, "lottery": TINY.override({CRITERION: code.name}).nested()}
    failed = reports(worker(tmp_path / "cells", stops=False, config=config, codes=[code]))[-1]
    why = "cannot be used: AssertionError: late (own.py, line 3)"
    assert failed["error"] == f"ConfigError: prune.criterion: {code.name} {why}"


@pytest.mark.parametrize("count", [2, 7, 9])
def test_a_criterion_is_tried_on_as_many_pictures_as_there_are(tmp_path, count):
    seen = f"    assert len(evidence.labels) == {min(count, 8)}\n    return"
    name = known(tmp_path, CRITERION, MAGNITUDE.replace("    return", seen))
    x, y = np.arange(count * 64, dtype=np.uint8).reshape(count, 8, 8), np.arange(count) % 2
    arrays = {"train_x": x, "train_y": y, "test_x": x, "test_y": y}
    few = own.from_arrays("few", arrays, "arrays of a test")
    check_own_parts([TINY.override({CRITERION: name})], {"digits": few}, ())


def test_a_file_that_is_changed_is_another_part(tmp_path):
    name = known(tmp_path, CRITERION, MAGNITUDE)
    first = known_part(CRITERION, name)
    assert known(tmp_path, CRITERION, MAGNITUDE) == name
    assert known_part(CRITERION, name) is first
    known(tmp_path, CRITERION, MAGNITUDE.replace("abs", "square"))
    assert known_part(CRITERION, name).source != first.source


def test_the_last_trained_level_is_read_where_only_the_next_mask_is_missing(tmp_path, monkeypatch):
    name = known(tmp_path, CRITERION, MAGNITUDE)
    config = TINY.override({CRITERION: name})
    rows(config.override({"levels": 2}), tmp_path / "cells")
    described(monkeypatch, CRITERION, name)
    lab = Lab({"digits": load("digits")}, TorchEngine(), Store(tmp_path / "cells", writes=False))
    reports = run_trial(config, [0], [], lab)
    assert [next(reports)["level"] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(StorageError, match="lacks"):
        next(reports)


def test_what_a_criterion_changes_in_place_changes_nothing_of_the_trunk(tmp_path):
    plain = TINY.override({CRITERION: known(tmp_path, CRITERION, MAGNITUDE)})
    source = (
        MAGNITUDE
        + """

def meddling(evidence):
    found = {name: score.clone() for name, score in part(evidence).items()}
    for name, keep in evidence.mask.items():
        evidence.initial[name].requires_grad_()
        evidence.trained[name].zero_()
        keep.fill_(True)
    evidence.initial.clear()
    return found
"""
    )
    meddling = TINY.override({CRITERION: known(tmp_path, CRITERION, source, "b.py", "meddling")})
    one, other = (
        rows(config, tmp_path / config.prune.criterion[-4:]) for config in (plain, meddling)
    )
    assert same_but(one, other, CRITERION)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("score.to('meta')", "got one without values"),
        ("score.to_sparse()", "got one of torch.sparse_coo"),
    ],
)
def test_scores_without_values_in_rows_are_one_line(tmp_path, given, told):
    source = f"{MAGNITUDE}\n\ndef bad(evidence):\n    return {{n: {given} for n, score in "
    name = known(tmp_path, CRITERION, source + "part(evidence).items()}", function="bad")
    with pytest.raises(
        ConfigError, match=r"must score fc1\.weight by a tensor of real numbers, "
    ) as e:
        rows(TINY.override({CRITERION: name}), tmp_path)
    assert str(e.value).endswith(told)
