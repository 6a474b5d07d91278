"""Each family of networks with batch norm walks a trajectory on real pictures."""

import pytest
import torch

from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.data import load
from lttune.models import build
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab
from lttune.trajectory.lottery import trajectories
from lttune.trajectory.task import weights_of

TRAIN = TrainConfig(optimizer="momentum", lr=0.05, steps=40, eval_every=40, eval_train=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet-20-4", "resnet18-4", "vgg-11-4", "densenet-22-12"])
def test_a_network_learns_digits_dense_and_pruned(name, tmp_path):
    config = LotteryConfig(
        levels=1,
        data=DataConfig(name="digits"),
        model=ModelConfig(name=name),
        train=TRAIN,
        prune=PruneConfig(scope="kind", fraction=0.5, fractions={"out": 0.0}),
    )
    lab = Lab({"digits": load("digits")}, TorchEngine(), Store(tmp_path))
    network = build(config.model, (8, 8), 10)
    for (level,) in trajectories(config, [0], lab):
        assert level.stored.cell.record["measures"]["end_test_accuracy"] > 0.5
        trained = weights_of(level.stored.cell, network)
        for layer in network.prunable:
            assert torch.equal(trained[layer] != 0, level.ticket.mask[layer])
        assert bool(level.ticket.mask["out.weight"].all())
        means = [value for n, value in trained.items() if n.endswith("running_mean")]
        assert all(bool(value.any()) for value in means)
    assert level.level == 1
    alive = sum(int(mask.sum()) for n, mask in level.ticket.mask.items() if n != "out.weight")
    whole = sum(mask.numel() for n, mask in level.ticket.mask.items() if n != "out.weight")
    assert alive / whole == pytest.approx(0.5, abs=1e-3)
