"""Masks of weights in the middle of a training, and of weights between initial and trained."""

import dataclasses

import digits_study
import numpy as np
import pytest
import stored_study
import torch
from junctions import DENSE, INITIAL, MASK, junction
from torch.nn.utils import prune as torch_prune

from lttune.config import (
    DataConfig,
    LotteryConfig,
    ModelConfig,
    PruneConfig,
    TrainConfig,
)
from lttune.data import load
from lttune.errors import ConfigError
from lttune.exchange.tickets import Place, find_network
from lttune.store.store import Store
from lttune.study.phases.room import stored_room
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.branches import BRANCHES
from lttune.trajectory.lab import Lab
from lttune.trajectory.lottery import trajectories
from lttune.trajectory.task import weights_of
from lttune.trajectory.trial import run_trial

DIGITS = load("digits")
CONFIG = LotteryConfig(
    levels=3,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-20-10"),
    train=TrainConfig(lr=5e-3, batch_size=50, steps=60, eval_every=20, eval_train=0),
    prune=PruneConfig(fraction=0.4, fractions={"out": 0.2}),
)


@pytest.fixture
def lab(tmp_path):
    return Lab({"digits": DIGITS}, TorchEngine(), Store(tmp_path))


def levels_of(lab, **changes):
    config = CONFIG.override({name.replace("__", "."): value for name, value in changes.items()})
    return [levels[0] for levels in trajectories(config, [0], lab)]


def masks_of(levels):
    return [{n: keep.numpy() for n, keep in level.ticket.mask.items()} for level in levels]


def same_masks(one, other):
    pairs = zip(masks_of(one), masks_of(other), strict=True)
    return [all(np.array_equal(a[n], b[n]) for n in a) for a, b in pairs]


@pytest.mark.parametrize("rewind_step", [0, 10])
@pytest.mark.parametrize("step", [10, 33, 40])
def test_masks_are_those_of_trainings_that_end_at_that_step(step, rewind_step, lab):
    midway = levels_of(lab, prune__step=step, rewind_step=rewind_step)
    length = {"train__steps": step, "train__eval_every": 10}
    if step > rewind_step:
        short = levels_of(lab, rewind_step=rewind_step, **length)
        assert same_masks(midway, short) == [True] * 4
    late = levels_of(lab, rewind_step=rewind_step)
    assert same_masks(midway, late) == [True] + [False] * 3
    # The training goes on to its end, and is no other for that.
    assert midway[0].stored.key != late[0].stored.key
    assert midway[0].stored.cell.record == late[0].stored.cell.record


def test_the_mask_is_torchs_own_of_the_weights_at_that_step(lab):
    short = levels_of(lab, train__steps=25, levels=0)[0]
    end = weights_of(short.stored.cell, short.junction.network)
    for share in (0.0, 0.3, 1.0):
        level = levels_of(lab, prune__step=25, prune__share=share, levels=1)[1]
        initial = level.junction.initial
        for name, keep in level.ticket.mask.items():
            between = initial[name].double() * (1 - share) + end[name].double() * share
            module = torch.nn.Module()
            module.weight = torch.nn.Parameter(between)
            gone = int((~keep).sum())
            torch_prune.l1_unstructured(module, "weight", amount=gone)
            assert torch.equal(module.weight_mask.bool(), keep)


def test_what_continues_goes_on_from_the_end_of_the_training(lab):
    first, second, *_ = levels_of(lab, prune__step=25, kept="continue")
    end = weights_of(first.stored.cell, first.junction.network)
    for name, keep in second.ticket.mask.items():
        assert torch.equal(second.ticket.start[name][keep], end[name][keep])
    # What shrank did so until the end, too.
    assert all(torch.equal(second.junction.final[name], end[name]) for name in second.ticket.mask)


def test_pruned_at_once_is_of_the_same_weights():
    at = junction("one_shot", dense_scored=INITIAL)
    for weights, source in ((INITIAL, at), (DENSE, junction("one_shot"))):
        found = BRANCHES["one_shot"](source)
        for name, keep in found.mask.items():
            sizes = weights[name].abs().flatten().sort(descending=True).values
            assert weights[name][keep].abs().min() == sizes[int(MASK[name].sum()) - 1]


def test_at_their_defaults_they_are_in_no_key(lab):
    plain, same = (
        levels_of(lab, **changes)
        for changes in ({}, {"prune__step": None, "prune__share": 1.0, "rescale": False})
    )
    assert [level.stored.key for level in plain] == [level.stored.key for level in same]
    keys = [
        [level.stored.key for level in levels_of(lab, **changes)]
        for changes in ({}, {"prune__step": 20}, {"prune__step": 40}, {"prune__share": 0.5})
    ]
    dense, first = (len({own[level] for own in keys}) for level in (0, 1))
    # A dense network keeps the weights of a step for whoever prunes there; a share needs nothing.
    assert (dense, first) == (3, 4)


def test_pruning_at_a_step_keeps_the_controls_and_their_target(lab):
    config = CONFIG.override({"prune.step": 40, "levels": 1, "target.steps": 20})
    config = config.override({"pretrain.steps": 10})
    (_, report) = run_trial(config, [0], ["one_shot", "transfer"], lab)
    rows = {row["branch"]: row for row in report["rows"]}
    assert rows["transfer"]["steps_trained"] == 20
    assert rows["one_shot"]["val_loss"] == rows["trunk"]["val_loss"]
    assert config.trained_by(config.train).prune == dataclasses.replace(config.prune, step=None)


def test_a_study_of_it_is_exported_and_has_room(tmp_path):
    config = CONFIG.override({"prune.step": 25, "levels": 2})
    study = stored_study.make(tmp_path / "results", config)
    found = find_network(Place(study=study, level=2))
    start, steps = found.weights("start")
    assert steps == 0
    for name, keep in found.mask.items():
        assert torch.equal(start[name] != 0, keep)
    sizes = {}
    for changes in ({}, {"prune.step": 25}):
        lottery = digits_study.LOTTERY.override({"train.steps": 40, **changes})
        settings = dataclasses.replace(digits_study.SMOKE, lottery=lottery)
        sizes[len(changes)] = stored_room(settings, digits_study.STUDY, {"digits": DIGITS}).size
    assert sizes[1] > sizes[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"prune.step": 60},
            r"prune.step must be from rewind_step \(0\) to below train.steps \(60",
        ),
        ({"prune.step": 9, "rewind_step": 10}, r"prune.step must be from rewind_step \(10\)"),
        ({"prune.step": -1}, "prune.step must be a whole number"),
        ({"prune.step": 1.5}, "prune.step must be a whole number"),
        ({"prune.share": 1.5}, r"prune.share must be in \[0, 1\], got 1.5"),
    ],
)
def test_what_cannot_be_seen_is_refused_in_one_line(changes, message):
    with pytest.raises(ConfigError, match=message) as error:
        CONFIG.override(changes)
    assert "\n" not in str(error.value)
