"""A trajectory whose lengths are given in epochs is the one of as many steps, cell for cell."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import stored_study
from own_parts import forget, known, rows, same_but
from torch.utils.data import DataLoader

from lttune import trajectory
from lttune.commands.transfer import Flags, main
from lttune.config import DataConfig, LotteryConfig, ModelConfig, TargetConfig, TrainConfig
from lttune.data import load
from lttune.errors import ConfigError, DamagedError
from lttune.exchange.tickets import Place, find_network
from lttune.records import schema
from lttune.records.columns import as_trained, require_settings
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.training.schedule import SCHEDULE
from lttune.trajectory.identity import of_training
from lttune.trajectory.lab import Lab
from lttune.trajectory.lottery import trajectories

DIGITS = load("digits")
EPOCH = len(DataLoader(range(1437 - 237), 100))
"""Steps of an epoch of digits."""
PLAIN = LotteryConfig(
    levels=2,
    rewind_step=3,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-12"),
    train=TrainConfig(lr=5e-3, batch_size=100, steps=2 * EPOCH, eval_every=12, eval_train=100),
).override({"pretrain.steps": EPOCH, "target.steps": 3 * EPOCH, "target.lr": 0.01})
ASKED = {"train.epochs": 2, "pretrain.epochs": 1, "target.epochs": 3}
STALE = dict.fromkeys(("train.steps", "pretrain.steps", "target.steps"), 999)
IN_EPOCHS = PLAIN.override(STALE).override(ASKED)
"""The same, which says other steps until it is counted."""
CONTROLS = ("reinit", "transfer", "finetune")


def test_epochs_are_the_cells_of_as_many_steps_and_the_records_say_both(tmp_path):
    plain = rows(PLAIN, tmp_path, CONTROLS)
    asked = rows(IN_EPOCHS, tmp_path, CONTROLS)
    assert all(row["reused"] for row in asked), "no key is another"
    assert [row["cell"] for row in asked] == [row["cell"] for row in plain]
    assert same_but(asked, plain, *ASKED)
    for row in asked:
        assert (row["train.steps"], row["train.epochs"]) == (2 * EPOCH, 2.0)
        assert (row["pretrain.steps"], row["pretrain.epochs"]) == (EPOCH, 1.0)
        assert (row["target.steps"], row["target.epochs"]) == (3 * EPOCH, 3.0)
        steps = (3 if row["branch"] == "transfer" else 2) * EPOCH
        first = 3 if row["level"] and row["branch"] in ("trunk", "reinit") else 0
        assert row["steps_trained"] == steps - first
    assert {row[path] for row in plain for path in ASKED} == {None}


def test_a_table_has_what_was_asked_as_numbers_and_gaps(tmp_path):
    found = rows(PLAIN, tmp_path) + rows(PLAIN.override({"train.epochs": 2}), tmp_path)
    path = tmp_path / "records.parquet"
    whose = {"study": "s", "phase": "anchor"}
    schema.write(path, [row | whose | {"trial": n // 3} for n, row in enumerate(found)])
    again = schema.read(path)
    require_settings(path, pa.Table.from_pylist(again))
    assert [row["train.epochs"] for row in again] == [None] * 3 + [2.0] * 3


def test_every_trajectory_has_the_steps_of_its_own_batches(tmp_path):
    base = IN_EPOCHS.override({"levels": 0, "rewind_step": 0, "train.eval_every": 1})
    for batch in (35, 100, 1200):
        found = rows(base.override({"train.batch_size": batch}), tmp_path)
        count = 2 * len(DataLoader(range(1200), batch))
        assert {row["train.steps"] for row in found} == {count}
        assert {row["steps_trained"] for row in found} == {count}


def test_a_walk_counts_for_itself(tmp_path):
    lab = Lab({"digits": DIGITS}, TorchEngine(), Store(tmp_path))
    keys = [
        [level.stored.key for (level,) in trajectories(config, [0], lab)]
        for config in (PLAIN, IN_EPOCHS)
    ]
    assert keys[0] == keys[1]


SHARES = """
def part(train, step):
    assert train.epochs is None
    return train.lr if step < train.steps // 2 else train.lr / 10
"""


def test_a_schedule_of_ones_own_is_given_steps_alone(tmp_path, monkeypatch):
    forget(monkeypatch)
    name = known(tmp_path, SCHEDULE, SHARES)
    plain = rows(PLAIN.override({SCHEDULE: name}), tmp_path / "cells", CONTROLS)
    config = IN_EPOCHS.override({SCHEDULE: name})
    asked = rows(config, tmp_path / "cells", CONTROLS)
    assert all(row["reused"] for row in asked)
    assert [row["cell"] for row in asked] == [row["cell"] for row in plain]
    found = trajectory(config, controls=("finetune",), engine="torch", store=tmp_path / "cells")
    trunk = [row["cell"] for row in plain if row["branch"] == "trunk"]
    assert [level.row["cell"] for level in found] == trunk


def test_no_identity_has_a_field_more_than_before(tmp_path, monkeypatch):
    assert of_training(TrainConfig(epochs=3)) == of_training(TrainConfig())
    forget(monkeypatch)
    own = TrainConfig(schedule=known(tmp_path, SCHEDULE, SHARES), epochs=3)
    assert "epochs" not in of_training(own)


# In a notebook.


def test_a_notebooks_trajectory_is_counted_when_it_is_opened(tmp_path):
    config = PLAIN.override({"train.epochs": 1.5, "levels": 1})
    found = trajectory(config)
    assert (found.config.train.steps, found.config.train.epochs) == (18, 1.5)
    frame = found.frame()
    assert frame["train.steps"].tolist() == [18, 18]
    assert frame["train.epochs"].tolist() == [1.5, 1.5]
    assert [level.steps for level in found] == [18, 18 - 3]
    asked = config.override({"train.eval_every": 19})
    with pytest.raises(ConfigError) as error:
        trajectory(asked)
    assert str(error.value) == (
        "train.epochs 1.5: 18 steps, 12 an epoch: "
        "train.eval_every must be at most train.steps (18), got 19"
    )


# Networks of a study that is read.


def test_a_ticket_of_a_study_is_found_by_the_steps_that_it_was_trained_for(tmp_path):
    changes = {"train.batch_size": 60, "train.epochs": 1, "rewind_step": 5}
    study = stored_study.make(tmp_path / "results", IN_EPOCHS, ({}, changes))
    for number, steps, first in ((0, 2 * EPOCH, 3), (1, 20, 5)):
        found = find_network(Place(study=study, trial=number, level=2))
        assert found.weights("trained")[1] == steps
        # Walked from the store: another length would be another trajectory.
        assert found.weights("start")[1] == first
        assert found.config.train.epochs is None
    flags = Flags(study=study, trial=1, replicates=1, target=TargetConfig(epochs=2, lr=0.02))
    assert main(flags) == 0
    moved = schema.read(study / "transfer.parquet")
    assert {row["steps_trained"] for row in moved} == {40}
    assert {(row["target.epochs"], row["target.steps"]) for row in moved} == {(2.0, 40)}
    assert {(row["train.epochs"], row["train.steps"]) for row in moved} == {(None, 40)}


def test_a_transfer_has_one_length():
    with pytest.raises(ConfigError) as error:
        Flags(study=Path("results/x"), target=TargetConfig(epochs=2, steps=40))
    assert str(error.value) == "--epochs must be left out with --steps, got 2.0"


def test_steps_in_a_table_that_no_trial_can_have_are_damage():
    asked = LotteryConfig().override({"train.epochs": 3, "rewind_step": 500})
    with pytest.raises(
        DamagedError, match=r"^records\.parquet: rewind_step must be a whole number"
    ):
        as_trained(Path("records.parquet"), asked, {"train.steps": 100})
