"""What survivors start from and what pruned weights hold, in real trajectories."""

import pytest
import torch
from torch.nn import functional

from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.data import load
from lttune.models import masks
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.training.protocol import Member
from lttune.trajectory.lab import Lab
from lttune.trajectory.lottery import trajectories
from lttune.trajectory.starts import HOLDS, STARTS, holding
from lttune.trajectory.task import weights_of

DIGITS = load("digits")
HARD = LotteryConfig(
    levels=3,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-20-10"),
    train=TrainConfig(
        optimizer="momentum",
        lr=0.05,
        weight_decay=0.01,
        batch_size=50,
        steps=40,
        eval_every=20,
        eval_train=100,
    ),
    prune=PruneConfig(fraction=0.4, fractions={"out": 0.2}),
)


def levels_of(config, folder):
    lab = Lab({"digits": DIGITS}, TorchEngine(), Store(folder))
    found = [levels[0] for levels in trajectories(config, [0], lab)]
    ends = [weights_of(level.stored.cell, level.junction.network) for level in found]
    return lab, found, ends


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("pruned", sorted(HOLDS.keys() - {"trainable"}))
def test_held_weights_are_constant_through_training_and_survivors_move(pruned, optimizer, tmp_path):
    lr = 0.05 if optimizer in ("momentum", "nesterov") else 2e-3
    config = HARD.override({"pruned": pruned, "train.optimizer": optimizer, "train.lr": lr})
    _, found, ends = levels_of(config, tmp_path)
    for level, end in zip(found, ends, strict=True):
        for name, keep in level.ticket.mask.items():
            held = level.ticket.start[name][~keep]
            assert torch.equal(end[name][~keep], held)
            assert (end[name][keep] != level.ticket.start[name][keep]).float().mean() > 0.5
            if pruned == "zero":
                assert not held.any()
            elif level.level:
                assert held.any()


@pytest.mark.parametrize("trunk", ["zero_if_shrinking", "zero"])
def test_zero_if_shrinking_goes_by_the_last_training_of_each_weight(trunk, tmp_path):
    _, found, ends = levels_of(HARD.override({"pruned": trunk}), tmp_path)
    initial = found[0].junction.initial
    differ = 0
    for name in found[0].ticket.mask:
        alive = torch.ones_like(initial[name], dtype=torch.bool)
        expected = torch.zeros_like(initial[name])
        for before, end, level in zip(found, ends, found[1:], strict=False):
            assert torch.equal(alive, before.ticket.mask[name])
            gone = alive & ~level.ticket.mask[name]
            grown = end[name].abs() >= initial[name].abs()
            expected[gone & grown] = initial[name][gone & grown]
            differ += int((gone & (grown != (ends[0][name].abs() >= initial[name].abs()))).sum())
            alive = level.ticket.mask[name]
            # As the trunk has it, or as a control of a trunk with zeros would.
            held = level.ticket.start
            if trunk == "zero":
                held = holding(level.junction, held, "zero_if_shrinking")
            assert torch.equal(held[name][~alive], expected[~alive])
    # The dense training's movement would have been another rule.
    assert differ > 0


def test_pruned_weights_that_are_trainable_leave_zero_and_are_pruned_again(tmp_path):
    config = HARD.override({"pruned": "trainable"})
    lab, found, ends = levels_of(config, tmp_path)
    for before, end, level, after in zip(found, ends, found[1:], ends[1:], strict=False):
        ticket, initial = level.ticket, level.junction.initial
        for name, keep in ticket.mask.items():
            assert torch.equal(ticket.start[name], torch.where(keep, initial[name], 0))
            assert (after[name][~keep] != 0).float().mean() > 0.5
            # What was pruned stays so, however far it came.
            assert not (keep & ~before.ticket.mask[name]).any()
            alive = end[name][before.ticket.mask[name]].abs()
            kept = end[name][keep].abs()
            assert kept.min() >= alive.sort().values[len(alive) - len(kept)]
        # As plain training of the dense network from there.
        dense = masks.ones(ticket.start, list(ticket.mask))
        order, noise = (stream(0, 0, purpose, level.level) for purpose in ("order", "order-noise"))
        material = lab.material(config, 0)
        member = Member(
            network=level.junction.network,
            start=ticket.start,
            mask=dense,
            config=config.train,
            material=material,
            order=order,
            noise=noise,
        )
        (trained,) = TorchEngine().train([member])
        assert all(torch.equal(trained.weights[name], after[name]) for name in after)
        assert level.stored.cell.record["measures"]["val_loss"] == trained.measures["val_loss"]


def test_levels_that_continue_start_where_the_level_before_ended(tmp_path):
    config = HARD.override({"kept": "continue", "train.milestones": (30,)})
    _, found, ends = levels_of(config, tmp_path)
    for end, level in zip(ends, found[1:], strict=False):
        assert level.junction.train.lr == pytest.approx(0.005)
        assert level.stored.cell.record["measures"]["steps_trained"] == 40
        for name, value in level.ticket.start.items():
            keep = level.ticket.mask.get(name, torch.ones(value.shape, dtype=torch.bool))
            assert torch.equal(value[keep], end[name][keep])


def test_rewinding_the_rate_alone_keeps_the_trained_weights_and_skips_the_first_steps(tmp_path):
    _, found, ends = levels_of(HARD.override({"kept": "lr_rewind", "rewind_step": 15}), tmp_path)
    for end, level in zip(ends, found[1:], strict=False):
        assert level.stored.cell.record["measures"]["steps_trained"] == 25
        keep = level.ticket.mask["fc1.weight"]
        assert torch.equal(level.ticket.start["fc1.weight"][keep], end["fc1.weight"][keep])


@pytest.mark.parametrize(
    "kept",
    ["reinit", "reinit_scaled", "permute", "keep_sign", "permute_magnitudes", "signed_constant"],
)
def test_a_start_that_is_drawn_is_another_at_every_level_but_the_same_every_time(kept, tmp_path):
    _, found, _ = levels_of(HARD.override({"kept": kept}), tmp_path / "one")
    _, again, _ = levels_of(HARD.override({"kept": kept}), tmp_path / "two")
    assert [level.stored.key for level in found] == [level.stored.key for level in again]
    for one, same in zip(found, again, strict=True):
        assert one.stored.cell.record == same.stored.cell.record
    both = found[1].ticket.mask["fc1.weight"] & found[2].ticket.mask["fc1.weight"]
    first, second = (level.ticket.start["fc1.weight"][both] for level in found[1:3])
    assert torch.equal(first, second) == (kept == "signed_constant")


def test_whatever_changes_the_bytes_of_a_level_is_in_its_key(tmp_path):
    keys, ends = [], []
    for changes in (
        *({"kept": kept} for kept in STARTS),
        *({"pruned": pruned} for pruned in HOLDS if pruned != "zero"),
        {"rescale": True},
        {"prune.share": 0.5},
        {"prune.criterion": "small_final"},
        {"prune.rounds": 3},
        {"prune.structure": "channel"},
        {"prune.fraction": 0.5},
        {"prune.scope": "global"},
        {"prune.exclude": ("fc2",)},
    ):
        _, found, weights = levels_of(HARD.override({"levels": 1, **changes}), tmp_path)
        keys.append(found[1].stored.key)
        ends.append(weights[1]["fc1.weight"].numpy().tobytes())
        assert found[0].stored.reused == (len(keys) > 1)
    # At a constant rate, continuing is rewinding the rate; and magnitudes stay in every round.
    assert (len(keys), len(set(ends))) == (23, 21)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("pruned", sorted(HOLDS))
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_the_accuracy_before_training_counts_what_pruned_weights_hold(pruned, scale, tmp_path):
    config = HARD.override({"pruned": pruned, "model.init_scale": scale, "kept": "signed_constant"})
    lab, found, _ = levels_of(config, tmp_path)
    examples = lab.material(config, 0).validation
    x, y = examples.slice(0, len(examples))
    for level in found:
        weights = level.ticket.start
        hidden = x.flatten(1)
        for layer in ("fc1", "fc2"):
            weight, bias = weights[f"{layer}.weight"], weights[f"{layer}.bias"]
            hidden = functional.linear(hidden, weight, bias).relu()
        logits = functional.linear(hidden, weights["out.weight"], weights["out.bias"])
        expected = (logits.argmax(1) == y).float().mean().item()
        measures = level.stored.cell.record["measures"]
        assert measures["start_val_accuracy"] == pytest.approx(expected, abs=1e-6)
