"""What users of the peer systems asked for and no other test shows."""

import gc
from collections.abc import Iterator

import pytest
import torch

from lttune.config import DataConfig, LotteryConfig, ModelConfig, TrainConfig
from lttune.data import load
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab
from lttune.trajectory.lottery import trajectories

CONFIG = LotteryConfig(
    levels=8,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-20-10"),
    train=TrainConfig(steps=5, eval_every=5, eval_test=False, eval_train=0),
)


@pytest.fixture
def fresh() -> Iterator[None]:
    """Has Python show only what is made from now on: a test process holds a million things."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def held() -> int:
    """Returns the bytes of all tensors that were made meanwhile, each memory once."""
    gc.collect()
    tensors = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)]
    memories = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(memories.values())


@pytest.mark.slow
def test_a_trajectory_holds_no_more_at_its_end_than_at_its_third_level(tmp_path, fresh):
    """pytorch #49332: memory grew in loops of pruning and training."""
    lab = Lab({"digits": load("digits")}, TorchEngine(), Store(tmp_path), 0)
    bytes_held = [held() for _ in trajectories(CONFIG, (0,), lab)]
    assert len(bytes_held) == 9
    assert min(bytes_held) > 0
    assert max(bytes_held[3:]) <= bytes_held[2]
