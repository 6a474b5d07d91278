"""What survivors start from and what pruned weights hold, as values."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from lttune.config import LotteryConfig, ModelConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.errors import ConfigError
from lttune.models import build, masks
from lttune.pruning.criteria import evidence_of
from lttune.trajectory.starts import HOLDS, STARTS, Junction, start_weights, training_of

NETWORK = build(ModelConfig(name="lenet-20-10"), (8, 8), 10)
BUFFER = "norm.running_var"
"""No fully connected network has one; the functions go by names only."""


def drawn(seed, spread=0.2):
    values = NETWORK.initial_weights(stream(seed, 0, "init"))
    noise = torch.Generator().manual_seed(seed)
    moved = {n: v + spread * torch.randn(v.shape, generator=noise) for n, v in values.items()}
    return moved | {BUFFER: torch.rand(3, generator=noise)}


INITIAL = drawn(0, spread=0) | {BUFFER: torch.ones(3)}
REWOUND, TRAINED, DENSE, FINAL = (drawn(seed) for seed in (1, 2, 3, 4))
MASK = {
    name: torch.from_numpy(stream(0, 0, "test").random(NETWORK.shapes[name]) < density)
    for name, density in zip(NETWORK.prunable, (0.2, 0.5, 0.8), strict=True)
}


def junction(purpose="x", **changes):
    evidence = evidence_of(TRAINED, MASK, NETWORK)
    at = Junction(
        mask=MASK,
        evidence=dataclasses.replace(evidence, initial=INITIAL),
        rewound=REWOUND,
        dense=DENSE,
        dense_scored=DENSE,
        final=FINAL,
        config=LotteryConfig(model=NETWORK.config),
        rng=stream(0, 0, purpose),
        train=TrainConfig(),
        first_step=0,
    )
    return dataclasses.replace(at, **changes)


def survivors(kept):
    weights = start_weights(junction(), kept, "zero")
    return {name: (weights[name][keep], keep) for name, keep in MASK.items()}


@pytest.mark.parametrize(
    ("kept", "source"), [("rewind", REWOUND), ("continue", FINAL), ("lr_rewind", FINAL)]
)
def test_survivors_biases_and_running_moments_are_those_of_the_source(kept, source):
    weights = start_weights(junction(), kept, "zero")
    assert weights.keys() == source.keys()
    for name, value in source.items():
        keep = MASK.get(name, torch.ones(value.shape, dtype=torch.bool))
        assert torch.equal(weights[name][keep], value[keep])
        assert (weights[name][~keep] == 0).all()


def test_reinit_draws_weights_with_zero_biases_from_the_initialisation():
    weights = start_weights(junction("reinit"), "reinit", "zero")
    fresh = NETWORK.initial_weights(stream(0, 0, "reinit"))
    for name, value in fresh.items():
        assert torch.equal(weights[name], masks.apply({name: value}, MASK)[name])
    assert all((weights[name] == 0).all() for name in fresh if name.endswith("bias"))


def test_scaled_weights_are_new_ones_over_the_root_of_the_density():
    plain = start_weights(junction("x"), "reinit", "zero")
    found = start_weights(junction("x"), "reinit_scaled", "zero")
    for name, value in found.items():
        keep = MASK.get(name)
        root = 1.0 if keep is None else math.sqrt(np.mean(keep.numpy()))
        assert value.numpy() == pytest.approx(plain[name].numpy() / root, rel=1e-6)


def test_permute_keeps_the_survivors_values_and_moves_them():
    for name, (values, keep) in survivors("permute").items():
        before = REWOUND[name][keep]
        assert torch.equal(values.sort().values, before.sort().values)
        # A random permutation leaves one value in its place on average.
        assert int((values == before).sum()) <= 6


def test_permute_takes_every_order_alike():
    keep = torch.tensor([[True, True, False, True]])
    values = {"fc1.weight": torch.tensor([[1.0, 2.0, 9.0, 3.0]])}
    at = junction(mask={"fc1.weight": keep}, rewound=values)
    found = [tuple(STARTS["permute"](at)["fc1.weight"][keep].tolist()) for _ in range(600)]
    # Six orders, 100 of each expected, deviation 9.
    assert len(set(found)) == 6
    assert all(60 < found.count(order) < 140 for order in set(found))


def test_keep_sign_has_the_rewound_signs_and_new_magnitudes():
    for name, (values, keep) in survivors("keep_sign").items():
        before = REWOUND[name][keep]
        assert torch.equal(values.sign(), before.sign())
        assert (values.abs() != before.abs()).all()
        fan_in, fan_out = reversed(NETWORK.shapes[name])
        expected = math.sqrt(2 / (fan_in + fan_out))
        assert values.std().item() == pytest.approx(expected, rel=0.35)


def test_signed_constant_has_one_magnitude_a_layer():
    for name, (values, keep) in survivors("signed_constant").items():
        deviation = float(INITIAL[name].numpy().std())
        assert torch.equal(values.sign(), REWOUND[name][keep].sign())
        assert values.abs().numpy() == pytest.approx(deviation, rel=1e-6)


def test_permuted_magnitudes_leave_every_sign_at_its_place():
    for name, (values, keep) in survivors("permute_magnitudes").items():
        found, before = values.numpy(), REWOUND[name][keep].numpy()
        assert np.array_equal(np.sort(np.abs(found)), np.sort(np.abs(before)))
        assert np.array_equal(found > 0, before > 0)
        assert np.count_nonzero(np.abs(found) == np.abs(before)) <= 6


def test_permuted_magnitudes_take_every_order_alike():
    keep = torch.tensor([[True, True, False, True]])
    values = {"fc1.weight": torch.tensor([[1.0, -2.0, 9.0, 0.0]])}
    at = junction(mask={"fc1.weight": keep}, rewound=values)
    draw = STARTS["permute_magnitudes"]
    found = [tuple(draw(at)["fc1.weight"][keep].tolist()) for _ in range(600)]
    orders = {(1, -2, 0), (1, 0, 2), (2, -1, 0), (2, 0, 1), (0, -1, 2), (0, -2, 1)}
    assert set(found) == orders
    assert all(60 < found.count(order) < 140 for order in orders)


def test_survivors_that_shrank_can_start_from_zero():
    for name, (values, keep) in survivors("zero_if_shrinking").items():
        shrunk = (FINAL[name].abs() < INITIAL[name].abs())[keep]
        assert 0 < int(shrunk.sum()) < len(shrunk)
        assert (values[shrunk] == 0).all()
        assert torch.equal(values[~shrunk], REWOUND[name][keep][~shrunk])


@pytest.mark.parametrize("kept", sorted(STARTS))
def test_rescaling_divides_by_the_density_of_the_layer_all_but_trained_weights(kept):
    config = LotteryConfig(model=NETWORK.config)
    plain = start_weights(junction(), kept, "freeze")
    if kept in ("continue", "lr_rewind"):
        with pytest.raises(ConfigError, match="rescale must be False where kept"):
            config.override({"kept": kept, "rescale": True})
        # As a control of a trunk that is rescaled.
    at = junction(config=config.override({"rescale": True}))
    for name, value in start_weights(at, kept, "freeze").items():
        keep = MASK.get(name, torch.zeros(value.shape, dtype=torch.bool))
        share = 1.0 if kept in ("continue", "lr_rewind") else np.mean(keep.numpy())
        expected = plain[name][keep].numpy() / share
        assert value[keep].numpy() == pytest.approx(expected, rel=1e-6)
        assert torch.equal(value[~keep], plain[name][~keep])


@pytest.mark.parametrize("kept", ["permute", "keep_sign", "permute_magnitudes", "signed_constant"])
def test_what_is_in_no_mask_is_rewound(kept):
    weights = start_weights(junction(), kept, "zero")
    for name in REWOUND.keys() - MASK.keys():
        assert torch.equal(weights[name], REWOUND[name])


@pytest.mark.parametrize("kept", sorted(STARTS))
@pytest.mark.parametrize("pruned", sorted(HOLDS))
def test_what_is_held_does_not_change_what_survives(kept, pruned):
    held, zero = (start_weights(junction(), kept, how) for how in (pruned, "zero"))
    for name, keep in MASK.items():
        assert torch.equal(held[name][keep], zero[name][keep])


def test_frozen_weights_hold_their_initial_values():
    weights = start_weights(junction(), "rewind", "freeze")
    for name, keep in MASK.items():
        assert torch.equal(weights[name][~keep], INITIAL[name][~keep])


def test_weights_that_moved_towards_zero_are_zero_and_others_frozen():
    weights = start_weights(junction(), "rewind", "zero_if_shrinking")
    for name, keep in MASK.items():
        shrunk = FINAL[name].abs() < INITIAL[name].abs()
        assert (weights[name][~keep & shrunk] == 0).all()
        grown = ~keep & ~shrunk
        assert torch.equal(weights[name][grown], INITIAL[name][grown])
        assert int(grown.sum()) > 5


def test_growing_weights_are_zero_where_shrinking_ones_are_not():
    one, other = (
        start_weights(junction(), "rewind", how) for how in ("zero_if_shrinking", "zero_if_growing")
    )
    for name, keep in MASK.items():
        pairs = torch.stack([one[name][~keep], other[name][~keep]])
        assert ((pairs == 0).sum(0) == 1).all()
        assert torch.equal(pairs.sum(0), INITIAL[name][~keep])


def test_shuffled_zeros_are_as_many_at_places_of_chance():
    times, at = 300, junction("zeros")
    zeros = dict.fromkeys(MASK, 0)
    for _ in range(times):
        held = HOLDS["zero_shuffled"](at)
        for name, keep in MASK.items():
            zero = (held[name] == 0)[~keep]
            expected = (FINAL[name].abs() < INITIAL[name].abs())[~keep]
            assert int(zero.sum()) == int(expected.sum()) > 0
            assert torch.equal(held[name][~keep][~zero], INITIAL[name][~keep][~zero])
            zeros[name] += zero.int()
    for name, keep in MASK.items():
        share = (FINAL[name].abs() < INITIAL[name].abs())[~keep].float().mean().item()
        deviation = math.sqrt(times * share * (1 - share))
        assert (zeros[name] - times * share).abs().max() < 5 * deviation


def test_a_start_leaves_its_sources_as_they_were():
    before = {n: v.clone() for n, v in REWOUND.items()}
    for value in start_weights(junction(), "rewind", "zero").values():
        value.fill_(7.0)
    assert all(torch.equal(REWOUND[n], before[n]) for n in before)


def test_courses():
    train = TrainConfig(lr=1.0, steps=100, eval_every=10, milestones=(50, 90), warmup_steps=5)
    config = LotteryConfig(train=train, rewind_step=7)
    assert training_of(config, "continue") == (
        dataclasses.replace(train, lr=1.0 * 0.1 * 0.1, warmup_steps=0, milestones=()),
        0,
    )
    for kept in sorted(STARTS.keys() - {"continue"}):
        assert training_of(config, kept) == (train, 7)
