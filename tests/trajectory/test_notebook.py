"""One trajectory in a notebook: its values, its store, networks and settings of the notebook."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from notebooks import CONFIG, assert_same, ends, network
from own_networks import MLP, written
from torch import nn

from lttune import trajectory
from lttune.errors import ConfigError, ResourceError
from lttune.models.architectures import FAMILIES
from lttune.training.engines.torch import TorchEngine

BOTH = ("reinit", "random")
FLAGS = torch.backends.cudnn


@pytest.fixture(scope="module")
def plain():
    return trajectory(CONFIG, controls=BOTH)


def test_levels_have_exact_masks_and_survivors_return_to_their_initial_values(plain):
    dense, *later = plain.levels
    assert [level.level for level in plain] == [0, 1, 2, 3]
    before = {name: torch.ones_like(keep) for name, keep in dense.mask.items()}
    sizes = [(640, 320, 160, 80), (200, 100, 50, 25), (100, 90, 81, 73)]
    for level in plain:
        for (name, keep), counts in zip(level.mask.items(), sizes, strict=True):
            # fc1 has 64 x 20 weights.
            assert int(keep.sum()) == counts[level.level] * (2 if name == "fc1.weight" else 1)
            assert not (keep & ~before[name]).any()
            assert not level.weights[name][~keep].any()
            assert torch.equal(level.start[name], dense.start[name] * keep)
            assert not torch.equal(level.start[name], level.weights[name])
        before = level.mask
        survivors = sum(int(keep.sum()) for keep in level.mask.values())
        assert level.density == survivors / 1580 == level.row["density"]
        assert (level.steps, level.diverged) == (40, False)
        assert level.early_stop_step in (0, 20, 40)
        assert level.test_accuracy == level.row["test_accuracy"]
    assert [list(level.branches) for level in later] == [[*BOTH]] * 3
    assert dense.branches == {}


def test_controls_are_named_networks_beside_the_ticket(plain):
    level = plain.levels[2]
    reinit, random = level.branches["reinit"], level.branches["random"]
    assert (reinit.branch, reinit.level, level.branch) == ("reinit", 2, "trunk")
    assert all(torch.equal(reinit.mask[name], keep) for name, keep in level.mask.items())
    assert not torch.equal(reinit.start["fc1.weight"], level.start["fc1.weight"])
    assert random.density == level.density
    assert not torch.equal(random.mask["fc1.weight"], level.mask["fc1.weight"])
    with pytest.raises(ConfigError, match=r"^the weights of the control 'reinit' are not kept$"):
        _ = reinit.weights
    assert str(level).startswith(f"level 2, density {level.density:.1%}: trunk ")
    assert f"reinit {reinit.test_accuracy:.2%} at step {reinit.early_stop_step}" in str(level)


def test_the_frame_has_a_row_for_each_network_and_evaluations_one_for_each_of_theirs(plain):
    frame = plain.frame()
    assert len(frame) == 1 + 3 * 3
    assert set(frame["trial"]) == {0}
    seen = plain.evaluations()
    assert len(seen) == len(frame) * 3
    assert list(seen.columns[:6]) == [
        *("branch", "level", "density", "step", "val_loss", "val_accuracy")
    ]
    best = seen.loc[seen.groupby(["branch", "level"])["val_loss"].idxmin()]
    found = best.set_index(["branch", "level"])["test_accuracy"]
    assert found.equals(frame.set_index(["branch", "level"])["test_accuracy"].loc[found.index])


def test_values_are_frozen_and_what_is_written_into_their_tensors_is_lost():
    careless = trajectory(CONFIG, controls=BOTH)
    for level in careless:
        for one in level.networks:
            for group in (one.mask, one.start):
                for value in group.values():
                    value.zero_()
        for value in level.weights.values():
            value.fill_(7.0)
        with pytest.raises(dataclasses.FrozenInstanceError):
            level.row = {}
        with pytest.raises(TypeError):
            level.row["density"] = 0.5
        with pytest.raises(TypeError):
            level.branches["mine"] = level
        with pytest.raises(TypeError):
            level.evaluations[0]["val_loss"] = 0.0
    assert_same(ends(careless), ends(trajectory(CONFIG, controls=BOTH)))


@pytest.fixture
def trained(monkeypatch):
    """The networks that the torch engine trains, and after how many it is interrupted."""
    counts = {"trained": 0, "interrupted": -1}
    train = TorchEngine._train

    def counted(self, member):
        if counts["trained"] == counts["interrupted"]:
            counts["interrupted"] = -1
            raise KeyboardInterrupt
        counts["trained"] += 1
        return train(self, member)

    monkeypatch.setattr(TorchEngine, "_train", counted)
    return counts


def test_levels_are_trained_when_they_are_looked_at_and_once(trained):
    found = trajectory(CONFIG, controls=("reinit",), engine="torch")
    assert trained["trained"] == 0
    iterator = iter(found)
    first = next(iterator)
    assert trained["trained"] == 1
    assert "levels trained: 1, so far>" in repr(found)
    assert found.levels[0] is first
    assert trained["trained"] == 1 + 3 * 2
    assert [*found] == [*found.levels] == [first, *iterator]
    found.frame()
    assert trained["trained"] == 1 + 3 * 2
    assert "lenet-20-10 on digits, torch engine" in repr(found)


def test_an_interrupted_trajectory_goes_on_with_what_was_in_training(trained):
    trained["interrupted"] = 4
    found = trajectory(CONFIG, controls=("reinit",), engine="torch")
    with pytest.raises(KeyboardInterrupt):
        list(found)
    assert trained["trained"] == 4
    assert_same(ends(found), ends(trajectory(CONFIG, controls=("reinit",), engine="torch")))
    assert trained["trained"] == 2 * (1 + 3 * 2)


def test_another_replicate_or_seed_is_another_trajectory(plain):
    losses = [
        next(iter(trajectory(CONFIG, **other))).row["val_loss"]
        for other in ({}, {"replicate": 1}, {"seed": 1})
    ]
    assert losses[0] == plain.levels[0].row["val_loss"]
    assert len(set(losses)) == 3


@pytest.mark.parametrize("engine", ["sparse", "torch"])
def test_the_settings_of_the_notebook_change_nothing_and_are_kept(engine):
    if engine == "sparse":
        pytest.importorskip("numba")
    expected = ends(trajectory(CONFIG, engine=engine))
    before = torch.get_num_threads()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    try:
        torch.set_num_threads(3)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        FLAGS.benchmark, FLAGS.deterministic = True, False
        with torch.device("meta"):
            found = trajectory(CONFIG, engine=engine)
            levels = found.levels
        assert len(levels) == 4
        assert torch.get_num_threads() == 3
        assert torch.get_default_dtype() == torch.float64
        assert not torch.is_grad_enabled()
        assert (FLAGS.benchmark, FLAGS.deterministic) == (True, False)
        assert torch.equal(torch.get_rng_state(), state)
    finally:
        torch.set_num_threads(before)
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
        FLAGS.benchmark, FLAGS.deterministic = False, True
    assert_same(ends(found), expected)


def test_a_function_of_a_cell_and_the_same_in_a_file_are_trained_alike(tmp_path):
    made = {"__name__": "__main__"}
    exec(compile(MLP, "cell", "exec"), made)
    known = dict(FAMILIES)
    cell = trajectory(CONFIG, network=made["network"])
    file = trajectory(CONFIG.override({"model.name": written(tmp_path, MLP)}))
    for one, other in zip(cell, file, strict=True):
        assert one.row["model.name"] == "__main__:network"
        assert all(torch.equal(v, other.weights[n]) for n, v in one.weights.items())
        assert one.test_accuracy == other.test_accuracy
    assert cell.levels[3].mask.keys() == {"1.weight", "3.weight"}
    assert known == FAMILIES


def test_two_functions_of_one_name_stay_two_networks():
    def of_width(width):
        def network(shape, classes):
            return nn.Sequential(
                nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10)
            )

        return network

    both = [trajectory(CONFIG, network=of_width(width)) for width in (6, 9)]
    assert both[0].config.model.name == both[1].config.model.name
    for levels in zip(*both, strict=True):
        assert [len(level.weights["1.weight"]) for level in levels] == [6, 9]


def test_a_class_is_a_function_too_and_its_dropout_draws_alike():
    class Net(nn.Module):
        def __init__(self, shape, classes):
            super().__init__()
            self.layers = network(shape, classes)

        def forward(self, pictures):
            return self.layers(pictures)

    torch.manual_seed(1)
    first = ends(trajectory(CONFIG, network=Net))
    torch.manual_seed(2)
    assert_same(first, ends(trajectory(CONFIG, network=Net)))


def test_numbers_of_numpy_are_numbers():
    plain = trajectory(CONFIG, seed=3, replicate=1, control_densities=[0.5])
    given = {"seed": np.int64(3), "replicate": np.int32(1)}
    found = trajectory(CONFIG, **given, control_densities=np.array([0.5]), controls=np.array([]))
    assert_same(ends(plain), ends(found))
    assert found.frame()["replicate"].tolist() == [1] * len(found.levels)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"controls": ("reinit", "rinit")}, "control must be one of .*; did you mean 'reinit'"),
        (
            {"controls": "reinit"},
            "controls must be a list or tuple of names, each once, got 'reinit'",
        ),
        ({"controls": ("transfer",)}, "target must be given for the control 'transfer'"),
        ({"controls": None}, "controls must be a list or tuple of names, each once, got None"),
        ({"control_densities": (2,)}, r"control_densities must be a list or tuple of num"),
        ({"control_densities": 0.2}, r"control_densities must be a list or tuple of num"),
        ({"replicate": -1}, "replicate must be a whole number from 0 to .*, got -1"),
        ({"seed": 0.5}, "seed must be a whole number from 0 to .*, got 0.5"),
        ({"network": 3}, "network must be a function of the shape of a picture .*, got 3"),
        ({"network": lambda shape: None}, "model.name: .*:_lambda_ cannot be made for pictures"),
        ({"network": network, "store": "x"}, "store must be left out with a network of the"),
        ({"measure": len, "store": "x"}, "store must be left out with measure, since what is"),
        ({"measure": 3}, "measure must be a function, and method 'prune', got 3"),
        ({"engine": "fast"}, "engine must be one of"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_trained(settings, told, cwd):
    with pytest.raises(ConfigError, match=f"^{told}") as raised:
        trajectory(CONFIG, **settings)
    assert "\n" not in str(raised.value)
    assert not list(cwd.iterdir())


def test_mistakes_of_a_configuration_are_told_at_once():
    wrong = CONFIG.override({"prune.fractions.fc9": 0.1, "train.batch_size": 5000})
    with pytest.raises(ConfigError) as raised:
        trajectory(wrong)
    assert [line.split()[0] for line in str(raised.value).split("\n")] == [
        "train.batch_size",
        "prune.fractions",
    ]
    idle = CONFIG.override({"train.momentum": 0.5})
    with pytest.raises(ConfigError) as raised:
        trajectory(idle, replicate=-1)
    first, second = str(raised.value).split("\n")
    assert first.startswith("replicate must be a whole number from 0 to ")
    assert second.startswith("train.momentum must be left at 0.9, since only ")
    with pytest.raises(ResourceError, match=r"^engine must be torch here: sparse was asked for"):
        trajectory(CONFIG, network=network, engine="sparse")


def test_a_diverged_trajectory_ends_there():
    wild = CONFIG.override({"train.optimizer": "sgd", "train.lr": 1e8})
    found = trajectory(wild, controls=BOTH)
    assert [level.diverged for level in found] == [True]
    assert str(found.levels[0]) == "level 0, density 100.0%: trunk diverged"
    assert len(found.frame()) == 1


def test_a_learned_mask_has_weights_that_stayed():
    learned = CONFIG.override({"levels": 1, "method": "supermask", "supermask.lr": 50.0})
    dense, level = trajectory(learned).levels
    assert not torch.equal(dense.weights["fc1.weight"], dense.start["fc1.weight"])
    for name, keep in level.mask.items():
        assert 0 < int(keep.sum()) < keep.numel()
        assert torch.equal(level.weights[name], dense.start[name] * keep)
        assert torch.equal(level.start[name], level.weights[name])
    with pytest.raises(ConfigError, match=r"^measure must be a function, and method 'prune'"):
        trajectory(learned, measure=lambda step, network: {})
