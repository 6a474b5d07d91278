"""Every control trained on digits at every level."""

import dataclasses

import numpy as np
import pytest
import torch
from junctions import DENSE, DIGITS, INITIAL, NETWORK

from lttune.config import (
    DataConfig,
    LotteryConfig,
    ModelConfig,
    PruneConfig,
    TargetConfig,
    TrainConfig,
)
from lttune.models import masks
from lttune.pruning.criteria import evidence_of
from lttune.pruning.rule import prune
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.branches import BRANCHES, FROM_DENSE, TRANSFERS
from lttune.trajectory.lab import Lab
from lttune.trajectory.task import weights_of
from lttune.trajectory.trial import run_trial, trained_levels

REAL = LotteryConfig(
    levels=2,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-20-10"),
    train=TrainConfig(lr=5e-3, batch_size=50, steps=60, eval_every=20, eval_train=200),
    prune=PruneConfig(fraction=0.4, fractions={"out": 0.2}),
    target=TargetConfig(data="turned.npz", steps=40),
    rewind_step=10,
)
TURNED = dataclasses.replace(
    DIGITS,
    name="turned",
    train_x=np.ascontiguousarray(DIGITS.train_x[:, ::-1] // 2)[DIGITS.train_y < 6],
    train_y=DIGITS.train_y[DIGITS.train_y < 6],
    test_x=np.ascontiguousarray(DIGITS.test_x[:, ::-1] // 2)[DIGITS.test_y < 6],
    test_y=DIGITS.test_y[DIGITS.test_y < 6],
    classes=6,
)


class Watching(TorchEngine):
    """The reference engine, keeping what it was given and gave."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def train(self, members):
        trained = super().train(members)
        self.seen += zip(members, trained, strict=True)
        return trained


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    lab = Lab(
        {"digits": DIGITS, "turned.npz": TURNED},
        Watching(),
        Store(tmp_path_factory.mktemp("store")),
    )
    reports = list(run_trial(REAL, [0], tuple(BRANCHES), lab))
    return lab, {(row["branch"], row["level"]): row for r in reports for row in r["rows"]}


def test_every_control_is_trained_at_every_level(real):
    lab, rows = real
    expected = {(name, level) for name in ("trunk", *BRANCHES) for level in (1, 2)}
    assert rows.keys() == expected | {("trunk", 0), *((name, 0) for name in FROM_DENSE)}
    assert len({row["cell"] for row in rows.values()}) == len(rows) == len(lab.engine.seen)
    assert all(
        row["surviving"] == rows["trunk", row["level"]]["surviving"] for row in rows.values()
    )


def test_a_control_steps_as_far_as_it_should(real):
    _, rows = real
    for (name, level), row in rows.items():
        full = level == 0 or name == "finetune"
        expected = 40 if name in TRANSFERS else 60 if full else 50
        assert row["steps_trained"] == expected


def test_only_the_sibling_has_another_order_and_a_barrier(real):
    _, rows = real
    for (name, _), row in rows.items():
        for column in ("barrier_test_error", "barrier_train_error"):
            assert (row[column] is not None) == (name == "sibling")
    assert rows["sibling", 0]["val_loss"] != rows["trunk", 0]["val_loss"]
    # Rewound at every level, the trunk resets already.
    for level in (1, 2):
        assert rows["reset", level]["val_loss"] == rows["trunk", level]["val_loss"]
        assert rows["reset", level]["cell"] != rows["trunk", level]["cell"]


def test_transfers_learn_the_targets_examples_with_the_sources_network(real):
    lab, rows = real
    targets = [m for m, _ in lab.engine.seen if len(m.material.test) == len(TURNED.test_y)]
    assert len(targets) == 7
    for member in targets:
        assert member.network.shapes["out.weight"] == (10, 10)
        assert member.material.classes == 6
        assert member.snapshot_steps == ()
    assert rows["transfer", 0]["end_test_accuracy"] > 0.5


def test_another_target_is_another_network_of_the_same_trunk(real):
    lab, rows = real
    other = REAL.override({"target.lr": 1e-3})
    found = [row for r in run_trial(other, [0], ("transfer", "reinit"), lab) for row in r["rows"]]
    for row in found:
        same = row["cell"] == rows[row["branch"], row["level"]]["cell"]
        assert same == (row["branch"] != "transfer")


def test_where_the_trunk_continues_the_reset_is_rewound(tmp_path):
    engine = Watching()
    config = REAL.override({"kept": "continue", "levels": 1, "train.milestones": (30,)})
    list(
        run_trial(
            config,
            [0],
            ("reset",),
            Lab({"digits": DIGITS, "turned.npz": TURNED}, engine, Store(tmp_path)),
        )
    )
    (_, dense), (trunk, _), (reset, _) = engine.seen
    keep = trunk.mask["fc1.weight"]
    assert torch.equal(reset.mask["fc1.weight"], keep)
    assert torch.equal(trunk.start["fc1.weight"][keep], dense.weights["fc1.weight"][keep])
    assert torch.equal(reset.start["fc1.weight"][keep], dense.snapshots[10]["fc1.weight"][keep])
    assert (trunk.first_step, reset.first_step) == (0, 10)
    assert trunk.config.lr == pytest.approx(0.1 * reset.config.lr)


def test_one_shot_at_the_first_level_is_the_trunk(real):
    _, rows = real
    for column in ("val_loss", "test_accuracy", "density.fc1"):
        assert rows["one_shot", 1][column] == rows["trunk", 1][column]
    assert rows["one_shot", 2]["val_loss"] != rows["trunk", 2]["val_loss"]
    whole = masks.ones(INITIAL, NETWORK.prunable)
    assert (
        masks.surviving(prune(evidence_of(DENSE, whole, NETWORK), REAL.prune))
        == rows["trunk", 1]["surviving"]
    )


def test_trained_signs_are_those_that_the_ticket_beside_them_ended_with(tmp_path):
    lab = Lab({"digits": DIGITS}, TorchEngine(), Store(tmp_path))
    config = dataclasses.replace(REAL, target=TargetConfig())
    names = ("trained_sign", "trained_magnitude")
    turned = 0
    for levels, branched in trained_levels(config, (0,), names, lab):
        for one in branched:
            end = weights_of(levels[0].stored.cell, levels[0].junction.network)
            for name, keep in levels[0].ticket.mask.items():
                start = one.task.ticket.start[name][keep]
                if one.name == "trained_sign":
                    assert torch.equal(start > 0, end[name][keep] > 0)
                else:
                    assert torch.equal(start.abs(), end[name][keep].abs())
                before = levels[0].junction.final[name][keep]
                turned += int((before.sign() != end[name][keep].sign()).sum())
    # Those of the level before would have been others.
    assert turned > 0
