"""Faults found in six other systems by reading and running them: none of them is here.

Each test says whose fault it is. Where it is cheap, the faulty behaviour itself is there too, to
show that the test would see it. Here those of grantgasser's reproduction; the files beside have the
other systems'.
"""

import copy
import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from peer_faults import CONFIG, DIGITS, LENET, lab_in, largest_change, pruned_once, trained, walked

from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.models import build, masks
from lttune.pruning.densities import planned_densities


def test_grantgasser_the_pruned_network_is_never_trained(levels):
    """Its optimizer held the first network's parameters: max |dw| was 0 at every level."""
    for level in levels:
        assert largest_change(level.ticket.start, trained(level), level.ticket.mask) > 0.01
    network = torch.nn.Linear(4, 2)
    optimizer = torch.optim.Adam(network.parameters(), 0.1)
    rewound = copy.deepcopy(network)
    rewound(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    keep = {"weight": torch.ones(2, 4, dtype=torch.bool)}
    assert largest_change(network.state_dict(), rewound.state_dict(), keep) == 0


def test_grantgasser_masks_are_not_held_during_training(levels):
    """It multiplied by the mask once; 98.5 % of the weights were not zero again after training."""
    for level in levels[1:]:
        for name, keep in level.ticket.mask.items():
            assert (trained(level)[name][~keep] == 0).all()
            assert trained(level)[name].count_nonzero() <= keep.sum()
        assert masks.density(level.ticket.mask) < 1


def test_grantgasser_rewinds_to_the_trained_network(lab, levels):
    """It copied the weights to rewind to after the dense training, not before."""
    initial = lab.network(CONFIG).initial_weights(stream(0, 0, "init"))
    for level in levels[1:]:
        for name, keep in level.ticket.mask.items():
            assert torch.equal(level.ticket.start[name][keep], initial[name][keep])
            assert not torch.equal(trained(levels[0])[name][keep], initial[name][keep])


def test_grantgasser_optimizer_and_schedule_leak_from_level_to_level(lab, levels):
    """One optimizer and one decaying schedule served all levels: 1e-6 of the rate was left."""
    sessions = lab.engine.sessions
    assert len(sessions) == len(levels) == 4
    for told in sessions:
        assert told["state"] == {}
        assert told["rates"] == sessions[0]["rates"]
        assert told["rates"][0] == pytest.approx(0.01)
        assert told["rates"][40] == 0.1
        assert told["rates"][-1] == pytest.approx(0.01)


def test_grantgasser_a_rate_is_a_share_of_what_remains():
    """It read "20 %" as a density of 0.2 % in seven levels, which keeps 41 % at each."""
    config = LotteryConfig(levels=7, model=LENET)
    planned = planned_densities(config, build(LENET, (28, 28), 10))
    left = [235_200, 30_000, 1_000]
    for density in planned:
        assert density == sum(left) / 266_200
        left = [n - n // d for n, d in zip(left, (5, 5, 10), strict=True)]
    assert planned[1] == pytest.approx(0.8004, abs=1e-4)
    assert planned[7] == pytest.approx(0.8**7, rel=0.01)


def test_grantgasser_the_output_layers_rate_is_dead_code(levels):
    """It compared with the index of the last parameter, which is a bias."""
    for before, after in itertools.pairwise(levels):
        for name, fraction in {"fc1": 0.3, "fc2": 0.3, "out": 0.15}.items():
            was, left = (int(at.ticket.mask[f"{name}.weight"].sum()) for at in (before, after))
            assert was - left == math.floor(fraction * was)


def test_grantgasser_early_stopping_ends_the_training(tmp_path):
    """It stopped where consecutive batches differed little; here the step is only recorded."""
    config = CONFIG.override({"levels": 1, "train.lr": 0.5, "train.weight_decay": 0.0})
    for level in walked(lab_in(tmp_path), config):
        record = level.stored.cell.record
        losses = [entry["val_loss"] for entry in record["history"]]
        flat = [abs(a - b) < 0.015 for a, b in itertools.pairwise(losses)]
        assert any(flat[:-1])  # Its rule would have stopped before the end.
        assert record["measures"]["steps_trained"] == 80
        assert record["measures"]["early_stop_step"] == 10 * int(np.argmin(losses))


def test_grantgasser_arguments_fall_into_the_wrong_places():
    """Five positional arguments met another signature; the batch size was the validation size."""
    for config in (DataConfig, ModelConfig, TrainConfig, PruneConfig, LotteryConfig):
        with pytest.raises(TypeError, match="positional"):
            config("digits", 64)


def test_grantgasser_the_seed_does_not_cover_the_initialisation(lab):
    """The network was made before the seed was set."""
    network, drawn = lab.network(CONFIG), []
    for seed, replicate in ((0, 0), (0, 0), (0, 1), (1, 0)):
        torch.manual_seed(len(drawn))
        network.make()
        drawn.append(network.initial_weights(stream(seed, replicate, "init"))["fc1.weight"])
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[3])


def test_grantgasser_validation_is_a_part_of_the_training_examples(lab):
    """Two independent random splits of one set overlap."""
    for replicate in range(3):
        found = lab.material(CONFIG, replicate)
        training = {found.pool.x[i].numpy().tobytes() for i in found.train}
        whole = {picture.tobytes() for picture in DIGITS.train_x}
        held = {picture.numpy().tobytes() for picture in found.validation.x}
        assert len(found.train) + len(found.validation) == len(DIGITS.train_y)
        assert len(whole) == len(DIGITS.train_y)  # No two digits are the same picture.
        assert not training & held


def test_grantgasser_the_mass_of_the_weights_is_taken_for_their_number():
    """Its notebook compared the sum of |w| with the expected count and blamed PyTorch."""
    weights = {"fc1.weight": torch.linspace(0.01, 1.0, 100)}
    config = PruneConfig(fraction=0.6, fractions={})
    mask = pruned_once(weights, config)
    mask = pruned_once(weights, dataclasses.replace(config, fraction=0.4), mask)
    assert masks.density(mask) == 0.24
    mass = weights["fc1.weight"][mask["fc1.weight"]].sum() / weights["fc1.weight"].sum()
    assert mass > 0.4
