"""The loop, on real digits: what comes back at each level, to the bit."""

import math

import pytest
import torch

from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.data import load
from lttune.errors import ConfigError
from lttune.models import masks
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory import lottery
from lttune.trajectory.lab import Lab
from lttune.trajectory.lottery import planned_densities, trajectories
from lttune.trajectory.task import mask_of, weights_of

TINY = LotteryConfig(
    levels=3,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-20-10"),
    train=TrainConfig(lr=5e-3, batch_size=50, steps=60, eval_every=20, eval_train=200),
    prune=PruneConfig(fraction=0.3, fractions={"out": 0.15}),
)
DIGITS = load("digits")


class Counting(TorchEngine):
    """The reference engine, counting the networks that it trains."""

    def __init__(self):
        super().__init__()
        self.opened = []

    def open(self, network, start, mask, config, noise=None):
        self.opened.append((start, mask))
        return super().open(network, start, mask, config, noise)


@pytest.fixture
def lab(tmp_path):
    return Lab({"digits": DIGITS}, Counting(), Store(tmp_path))


def trajectory(config, replicate, lab):
    return (levels[0] for levels in trajectories(config, [replicate], lab))


def initial(lab, config, replicate=0):
    return lab.network(config).initial_weights(stream(lab.seed, replicate, "init"))


def test_criteria_draw_other_numbers_at_every_level_and_in_every_replicate(lab):
    config = TINY.override({"prune.criterion": "random"})
    drawn = [
        level.junction.evidence.rng.random()
        for replicate in (0, 1)
        for level in list(trajectory(config, replicate, lab))[1:]
    ]
    assert len(set(drawn)) == len(drawn) == 6


def test_weights_that_are_drawn_anew_are_others_in_every_replicate(lab):
    config = TINY.override({"levels": 1, "kept": "reinit"})
    one, other = (list(trajectory(config, replicate, lab))[1].ticket for replicate in (0, 1))
    for name in one.mask:
        both = one.mask[name] & other.mask[name]
        assert both.any()
        assert (one.start[name][both] != other.start[name][both]).all()


def test_survivors_return_bit_for_bit_to_their_initial_value(lab):
    start = initial(lab, TINY)
    for level in trajectory(TINY, 0, lab):
        for name, keep in level.ticket.mask.items():
            assert torch.equal(level.ticket.start[name][keep], start[name][keep])
            assert (level.ticket.start[name][~keep] == 0).all()
        assert all(torch.equal(level.ticket.start[n], start[n]) for n in start if "bias" in n)
    given = [dict(opened) for opened, _ in lab.engine.opened]
    assert len(given) == 4


@pytest.mark.parametrize("step", [1, 20, 33])
def test_survivors_return_to_their_value_at_the_rewind_step(step, lab):
    config = TINY.override({"rewind_step": step})
    short = TINY.override({"train.steps": step, "train.eval_every": min(step, 20), "levels": 0})
    expected = weights_of(next(trajectory(short, 0, lab)).stored.cell, lab.network(config))
    levels = list(trajectory(config, 0, lab))
    for level in levels[1:]:
        for name, keep in level.ticket.mask.items():
            assert torch.equal(level.ticket.start[name][keep], expected[name][keep])
        assert level.stored.cell.record["measures"]["steps_trained"] == 60 - step
        assert level.stored.cell.record["history"][0]["step"] == step
    moved = expected["fc1.weight"] != initial(lab, config)["fc1.weight"]
    assert moved.float().mean() > 0.5


def test_weights_move_at_every_level_and_pruned_ones_are_zero(lab):
    network = lab.network(TINY)
    for level in trajectory(TINY, 0, lab):
        trained = weights_of(level.stored.cell, network)
        for name, keep in level.ticket.mask.items():
            assert (trained[name][keep] != level.ticket.start[name][keep]).float().mean() > 0.4
            assert (trained[name][~keep] == 0).all()


def test_each_mask_is_pruned_from_the_trained_weights_of_the_level_before(lab):
    network, previous = lab.network(TINY), None
    for level in trajectory(TINY, 0, lab):
        if previous is not None:
            trained = weights_of(previous.stored.cell, network)
            for name, keep in level.ticket.mask.items():
                old = previous.ticket.mask[name]
                fraction = TINY.prune.fractions.get(name.partition(".")[0], TINY.prune.fraction)
                gone = old & ~keep
                assert not (keep & ~old).any()
                assert int(gone.sum()) == math.floor(fraction * int(old.sum()))
                assert trained[name].abs()[gone].max() <= trained[name].abs()[keep].min()
        previous = level


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_planned_densities_are_those_that_come(scope, lab):
    config = TINY.override({"prune.scope": scope, "levels": 5})
    planned = planned_densities(config, lab.network(config))
    assert [masks.density(level.ticket.mask) for level in trajectory(config, 0, lab)] == planned


def test_a_trajectory_ends_at_the_first_level_of_the_least_density(lab):
    config = TINY.override({"levels": 50, "min_density": 0.3})
    densities = [masks.density(level.ticket.mask) for level in trajectory(config, 0, lab)]
    assert densities[-1] <= 0.3 < densities[-2]


def test_lenets_densities_are_the_papers():
    # Frankle & Carbin (2019), labels of Figure 3 and others: weights only, biases excluded.
    from lttune.config.presets import LENET_300_100
    from lttune.models import build

    printed = [100, 80.0, 64.1, 51.3, 41.1, 32.9, 26.3, 21.1, 16.9, 13.5, 10.8, 8.7, 7.0, 5.6, 4.5]
    printed += [3.6, 2.9, 2.3, 1.9, 1.5, 1.2, 1.0, 0.8, 0.6, 0.5]
    network = build(LENET_300_100.model, (28, 28), 10)
    planned = planned_densities(LENET_300_100, network)
    assert [100 * density for density in planned] == pytest.approx(printed, abs=0.051)


@pytest.mark.parametrize(
    ("hparams", "message"),
    [
        ({"prune.fractions.fc4": 0.2}, "fc4"),
        (
            {"prune.fractions.out": 0.001},
            "must remove one of the .* weights of out",
        ),
    ],
)
def test_what_does_not_fit_the_network_is_refused_before_training(hparams, message, lab):
    with pytest.raises(ConfigError, match=message):
        next(trajectory(TINY.override(hparams), 0, lab))
    assert lab.engine.opened == []


def test_a_finished_trajectory_trains_nothing_and_gives_the_same(lab):
    first = list(trajectory(TINY, 0, lab))
    count = len(lab.engine.opened)
    second = list(trajectory(TINY, 0, lab))
    assert count == 4 == len(lab.engine.opened)
    assert [level.stored.key for level in first] == [level.stored.key for level in second]
    assert [level.stored.cell.record for level in first] == [
        level.stored.cell.record for level in second
    ]
    assert [level.stored.reused for level in second] == [True] * 4
    for a, b in zip(first, second, strict=True):
        assert all(torch.equal(a.ticket.mask[n], b.ticket.mask[n]) for n in a.ticket.mask)


def test_level_0_is_shared_by_trials_that_differ_in_pruning_only(lab):
    keys = [
        next(trajectory(TINY.override(hparams), 0, lab)).stored.key
        for hparams in ({}, {"prune.fraction": 0.5}, {"prune.scope": "global"}, {"levels": 9})
    ]
    assert len(set(keys)) == 1
    assert len(lab.engine.opened) == 1


@pytest.mark.parametrize(
    "hparams",
    [
        {"train.lr": 1e-3},
        {"train.batch_size": 40},
        {"train.steps": 80},
        {"train.optimizer": "sgd"},
        {"train.weight_decay": 0.1},
        {"model.name": "lenet-21-10"},
        {"data.validation": 100},
        {"rewind_step": 5},
    ],
)
def test_whatever_determines_the_dense_networks_bytes_is_in_its_key(hparams, lab):
    base = lab.identity(TINY, 0)
    assert lab.identity(TINY.override(hparams), 0) != base
    assert lab.identity(TINY, 1) != base
    assert Lab({"digits": DIGITS}, lab.engine, lab.store, seed=1).identity(TINY, 0) != base


def test_a_dense_network_of_a_study_that_prunes_fewer_layers_is_whole_everywhere(lab):
    less = TINY.override({"prune.exclude": ("out",)})
    first = next(trajectory(less, 0, lab)).stored
    shared = next(trajectory(TINY, 0, lab)).stored
    assert shared.key == first.key
    mask = mask_of(shared.cell, lab.network(TINY))
    assert set(mask) == set(lab.network(TINY).prunable)
    assert masks.density(mask) == 1


def test_a_longer_trajectory_extends_a_shorter_one(lab):
    list(trajectory(TINY, 0, lab))
    longer = list(trajectory(TINY.override({"levels": 5}), 0, lab))
    assert [level.stored.reused for level in longer] == [True] * 4 + [False] * 2


def test_the_momentum_of_a_rule_that_does_not_read_it_is_not_in_the_key(lab):
    same = TINY.override({"train.momentum": 0.5})
    assert lab.identity(same, 0) == lab.identity(TINY, 0)
    used = TINY.override({"train.optimizer": "momentum"})
    other = used.override({"train.momentum": 0.5})
    assert lab.identity(used, 0) != lab.identity(other, 0)


def test_another_replicate_has_another_split_initialisation_and_order(lab, monkeypatch):
    drawn = []
    original = lottery.stream

    def recorded(seed, replicate, purpose, level=0):
        drawn.append((purpose, replicate, level))
        return original(seed, replicate, purpose, level)

    monkeypatch.setattr(lottery, "stream", recorded)
    monkeypatch.setattr("lttune.trajectory.lab.stream", recorded)
    one, two = (list(trajectory(TINY, replicate, lab)) for replicate in (0, 1))
    materials = [lab.material(TINY, replicate) for replicate in (0, 1)]
    assert set(materials[0].train) != set(materials[1].train)
    assert not torch.equal(one[0].ticket.start["fc1.weight"], two[0].ticket.start["fc1.weight"])
    assert {("order", 0, level) for level in range(4)} <= set(drawn)
    assert {("order", 1, level) for level in range(4)} <= set(drawn)


def test_replicates_in_one_list_are_those_trained_alone(lab, tmp_path):
    together = list(trajectories(TINY, [1, 0, 2], lab))
    assert [[level.replicate for level in levels] for levels in together] == [[1, 0, 2]] * 4
    for replicate in range(3):
        alone = Lab({"digits": DIGITS}, TorchEngine(), Store(tmp_path / "alone"))
        for levels, level in zip(together, trajectory(TINY, replicate, alone), strict=True):
            mine = next(found for found in levels if found.replicate == replicate)
            assert mine.stored.key == level.stored.key
            assert mine.stored.cell.record == level.stored.cell.record


def test_divergence_ends_the_trajectory_with_a_result(lab):
    wild = {"train.optimizer": "sgd", "train.lr": 1e8}
    levels = list(trajectory(TINY.override(wild), 0, lab))
    assert [level.last for level in levels] == [True]
    assert levels[0].stored.cell.record["measures"]["diverged"]


def test_two_computations_give_the_same_bytes_on_disk(tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        list(trajectory(TINY, 0, Lab({"digits": DIGITS}, TorchEngine(), Store(folder))))
    for name in ("record.json", "tensors.safetensors"):
        one, two = (sorted(folder.rglob(name)) for folder in folders)
        assert len(one) == 4
        assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]
